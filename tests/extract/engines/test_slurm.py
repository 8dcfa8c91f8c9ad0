"""Jobs of a real Slurm on this machine: the same cache, whichever of them are cancelled, requeued or never start."""

import shutil
import signal
import socket
import subprocess

import pytest
from support.processes import n_shards, wait_for

SMALL = ["--cpus-per-task=1", "--mem=1G"]
# A requeued job starts again when its credential has expired, by default after two minutes.
REQUEUED_SECONDS = 300


def slurm(*command, environment=None):
    """Return what a command of Slurm prints."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def is_here():
    """Return whether a cluster answers whose jobs run on this machine, where they see the tests' folders."""
    if not shutil.which("sbatch"):
        return False
    done = subprocess.run(["sinfo", "--noheader", "--Node", "--format=%n"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and set(done.stdout.split()) <= {socket.gethostname(), "localhost"} != set()


pytestmark = [pytest.mark.slow, pytest.mark.skipif(not is_here(), reason="no Slurm on this machine")]


@pytest.fixture
def submit(repository, arguments, environment, tmp_path):
    """A function that submits the recipe as an array, and returns its number; what is left of it ends with the test."""
    jobs = []

    def recipe(array):
        options = [f"--array={array}", "--gres=none", f"--output={tmp_path}/%a.log", *SMALL]
        script = [str(repository / "docs/recipes/slurm_array.sh"), *arguments, "--cache", str(tmp_path / "cache")]
        variables = {name: value for name, value in environment.items() if name != "OMP_NUM_THREADS"}  # it sets it
        jobs.append(slurm("sbatch", "--parsable", *options, *script, environment=variables))
        return jobs[-1]

    yield recipe
    for job in jobs:
        slurm("scancel", job)


def is_over(job):
    return not slurm("squeue", "--noheader", f"--jobs={job}")


def test_the_array_recipe_ends_in_the_same_cache_though_a_task_is_cancelled(submit, check, tmp_path):
    job = submit("3-9:2")
    wait_for(lambda: n_shards(tmp_path / "cache") > 3)
    slurm("scancel", f"{job}_3")
    wait_for(lambda: is_over(job), seconds=REQUEUED_SECONDS)
    assert "worker 1 of 4 (from SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT)" in (tmp_path / "5.log").read_text()
    check(tmp_path / "cache")


def test_a_requeued_task_goes_on_where_all_were_stopped_and_its_log_too(submit, check, tmp_path):
    job = submit("0-1")
    wait_for(lambda: n_shards(tmp_path / "cache") > 3)
    slurm("scontrol", "requeue", f"{job}_1")
    slurm("scancel", f"{job}_0")
    read = n_shards(tmp_path / "cache")
    wait_for(lambda: is_over(job), seconds=REQUEUED_SECONDS)
    assert read < 60
    log = (tmp_path / "1.log").read_text()
    assert log.count("worker 1 of 2") == 2
    check(tmp_path / "cache")


def test_tasks_of_a_step_are_workers(arguments, environment, check, tmp_path):
    command = ["srun", "--ntasks=2", *SMALL, "lager", "extract", *arguments, "--cache", str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    assert all(f"worker {rank} of 2 (from SLURM_PROCID and SLURM_NTASKS)" in done.stderr for rank in (0, 1))
    check(tmp_path / "cache")


@pytest.fixture
def jobs(arguments, environment, tmp_path):
    """A function that starts the command with the engine of jobs, and returns its process; all ends with the test."""
    pytest.importorskip("submitit")
    started = []

    def start(n):
        options = ["--engine", "submitit", "--workers", str(n), "--slurm", '{"mem_gb": 1, "cpus_per_task": 1}']
        command = ["lager", "extract", *arguments, "--cache", str(tmp_path / "cache"), *options]
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()
    for job in queued(tmp_path):
        slurm("scancel", job)


def queued(tmp_path):
    """Return the jobs of the engine that wait or run, by number."""
    known = {path.name.partition("_")[0] for path in (tmp_path / "cache.submitit").glob("*_submission.sh")}
    return sorted(known & set(slurm("squeue", "--noheader", "--format=%i").split()), key=int)


def test_jobs_that_are_cancelled_are_submitted_again_and_requeued_ones_waited_for(jobs, check, tmp_path):
    process = jobs(2)
    wait_for(lambda: n_shards(tmp_path / "cache") > 3, process)
    cancelled, requeued = queued(tmp_path)
    slurm("scontrol", "requeue", requeued)
    slurm("scancel", cancelled)
    _, errors = process.communicate(timeout=REQUEUED_SECONDS)
    assert process.returncode == 0, errors
    assert f"(ended as CANCELLED: slurm job {cancelled}, " in errors
    assert f"slurm job {requeued}, " not in errors
    check(tmp_path / "cache")


def test_a_job_that_has_not_begun_is_cancelled_when_others_have_read_all(jobs, check, tmp_path):
    process = jobs(2)
    wait_for(lambda: len(queued(tmp_path)) == 2, process)
    last = queued(tmp_path)[-1]
    for verb in ("hold", "requeuehold"):  # should it have begun already
        subprocess.run(["scontrol", verb, last], capture_output=True, check=False)
    _, errors = process.communicate(timeout=REQUEUED_SECONDS)
    assert process.returncode == 0, errors
    assert "0 items by worker 1" in errors
    wait_for(lambda: last not in queued(tmp_path))
    check(tmp_path / "cache")


def test_an_interrupted_command_takes_its_jobs_along(jobs, tmp_path):
    process = jobs(2)
    wait_for(lambda: n_shards(tmp_path / "cache") > 1, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    wait_for(lambda: not queued(tmp_path))
    assert n_shards(tmp_path / "cache") < 60


def test_jobs_outlive_a_command_that_is_killed_and_finish_the_cache(jobs, check, tmp_path):
    process = jobs(2)
    wait_for(lambda: n_shards(tmp_path / "cache") > 1, process)
    process.kill()
    process.wait()
    assert queued(tmp_path)
    wait_for(lambda: not queued(tmp_path))
    check(tmp_path / "cache")


def test_what_the_cluster_refuses_is_one_line(arguments, environment, tmp_path):
    pytest.importorskip("submitit")
    options = ["--engine", "submitit", "--workers", "2", "--slurm", '{"partition": "none-such"}']
    command = ["lager", "extract", *arguments, "--cache", str(tmp_path / "cache"), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: --engine submitit: a job was not accepted (sbatch: error:")
