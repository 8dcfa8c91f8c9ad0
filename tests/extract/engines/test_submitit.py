"""Workers as jobs of submitit, here processes that it starts: what they ask for, and what they make."""

import json
import os
import signal
import subprocess
import sys

import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.run.run_status import run_status
from lager.extract.engines import slurm_queue
from lager.extract.engines.slurm_options import make_executor
from lager.extract.engines.slurm_queue import SlurmQueue
from lager.extract.engines.submitit_engine import SubmititEngine, _outside_of_jobs
from support.extraction import run, write_items
from support.processes import n_shards, wait_for
from support.tiny_models import save_judge

LOCAL, DEBUG = {"cluster": "local"}, {"cluster": "debug"}


def engine(tmp_path, **options):
    return make_executor(options, cache=tmp_path / "cache", device="cpu")


def test_submitit_that_is_not_installed_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(LagerError, match=r"--engine submitit needs an extra: pip install 'lager\[submitit\]'"):
        engine(tmp_path)


def test_the_number_of_jobs_has_to_be_said(tmp_path):
    with pytest.raises(LagerError, match="--workers N how many jobs"):
        SubmititEngine(None, cache=tmp_path / "cache", device=None, options=LOCAL, say=print)


def test_what_jobs_ask_for_is_refused_without_jobs(tmp_path):
    with pytest.raises(LagerError, match="give both, or neither"):
        run("judge", "items.jsonl", tmp_path / "cache", slurm={"partition": "gpu"}, workers=2)


def test_a_machine_without_slurm_is_told_so(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    for options in ({}, {"cluster": "slurm"}):
        with pytest.raises(LagerError, match=r"srun"):
            engine(tmp_path, **options)


def test_parameters_that_nobody_knows_are_all_named(tmp_path):
    pytest.importorskip("submitit")
    with pytest.raises(LagerError, match=r"no parameter partiton, slurm_memory: expected such as \{\"partition\""):
        engine(tmp_path, **LOCAL, partiton="gpu", mem_gb=2, slurm_memory=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout_min": "long"}, "timeout_min cannot be 'long'"),
        ({"nodes": 2}, "one worker on one node"),
        ({"slurm_ntasks_per_node": 8}, "one worker on one node"),
        ({"cluster": "crowd"}, "crowd"),
        ({"cluster": 3}, "expected texts"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(tmp_path, options, message):
    pytest.importorskip("submitit")
    with pytest.raises(LagerError, match=message):
        engine(tmp_path, **{**LOCAL, **options})


def test_parameters_of_slurm_are_known_with_and_without_their_prefix(tmp_path):
    pytest.importorskip("submitit")
    engine(tmp_path, **LOCAL, partition="gpu", slurm_qos="low", gres="gpu:2", additional_parameters={"nice": 5})


@pytest.mark.parametrize(
    ("device", "options", "gpus"),
    [
        (None, {}, 1),
        ("cuda", {"mem_gb": 3}, 1),
        ("cpu", {}, None),
        (None, {"gpus_per_node": 2}, 2),
        (None, {"gres": "gpu:a100:1"}, None),
    ],
)
def test_a_job_has_a_gpu_unless_the_processor_reads_and_time_enough(tmp_path, device, options, gpus):
    pytest.importorskip("submitit")
    parameters = make_executor({**LOCAL, **options}, cache=tmp_path / "cache", device=device).parameters
    assert parameters.get("gpus_per_node") == gpus
    assert parameters["timeout_min"] == 480


def test_logs_go_into_a_folder_of_this_user_beside_the_cache_or_one_that_is_named(tmp_path):
    pytest.importorskip("submitit")
    assert engine(tmp_path, **LOCAL).folder == tmp_path / "cache.submitit"
    assert (tmp_path / "cache.submitit").stat().st_mode & 0o077 == 0
    assert engine(tmp_path, **LOCAL, folder=str(tmp_path / "logs")).folder == tmp_path / "logs"
    (tmp_path / "file").write_text("")
    with pytest.raises(LagerError, match="cannot write"):
        engine(tmp_path, **LOCAL, folder=str(tmp_path / "file"))
    if os.geteuid() == 0:
        os.chown(tmp_path / "logs", 1, 1)
        with pytest.raises(LagerError, match="belongs to another user"):
            engine(tmp_path, **LOCAL, folder=str(tmp_path / "logs"))


def test_a_new_job_inherits_no_place_in_another_one(monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    with _outside_of_jobs():
        assert "SLURM_ARRAY_TASK_ID" not in os.environ
        assert os.environ["SLURM_CONF"] == "/etc/slurm.conf"
    assert os.environ["SLURM_ARRAY_TASK_ID"] == "3"


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """A function that says what `squeue` prints from now on."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(slurm_queue, "_ASK_SECONDS", 0)

    def prints(text, *, code=0):
        (folder / "squeue").write_text(f"#!/bin/sh\nprintf '{text}'\nexit {code}\n")
        (folder / "squeue").chmod(0o755)

    return prints


def test_a_job_is_lost_when_the_queue_says_so_twice_and_not_when_it_is_requeued_or_nobody_answers(squeue):
    queue, jobs = SlurmQueue(), ["1", "2", "3", "4"]
    squeue("1|FAILED\\n2|RUNNING\\n4|NODE_FAIL\\n5|CANCELLED\\n")
    assert queue.ended(jobs) == {}
    squeue("", code=1)
    assert queue.ended(jobs) == {}
    squeue("1|FAILED\\n2|PREEMPTED\\n4|PENDING\\n")
    assert queue.ended(jobs) == {"1": "FAILED", "3": "unknown to squeue"}
    assert queue.pending == {"4"}


def test_the_queue_is_asked_seldom(squeue, monkeypatch):
    monkeypatch.setattr(slurm_queue, "_ASK_SECONDS", 60)
    queue = SlurmQueue()
    squeue("1|FAILED\\n")
    assert [queue.ended(["1"]) for _ in range(3)] == [{}, {}, {}]


@pytest.mark.slow
def test_two_workers_that_submitit_debugs_in_this_process_make_the_same_cache(tmp_path):
    pytest.importorskip("submitit")
    judge, items = save_judge(tmp_path / "judge"), write_items(tmp_path / "items.jsonl", 9)
    alone = run(judge, items, tmp_path / "alone", device="cpu")
    cache = run(judge, items, tmp_path / "cache", device="cpu", engine="submitit", workers=2, slurm=DEBUG)
    assert cache.content_hash == alone.content_hash


@pytest.fixture
def command(arguments, tmp_path):
    """Of two workers in processes that submitit starts."""
    pytest.importorskip("submitit")
    options = ["--cache", str(tmp_path / "cache"), "--engine", "submitit", "--workers", "2"]
    return ["lager", "extract", *arguments, *options, "--slurm", json.dumps(LOCAL)]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_started_again_and_the_cache_is_that_of_one_process(
    command, environment, check, tmp_path
):
    path = tmp_path / "cache"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: n_shards(path) > 3, process)
    victim = run_status(path).workers[-1].record
    os.kill(victim.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert f"worker {victim.rank} was lost (ended as FINISHED: local job" in errors
    assert f"wrote {path}: 240 items" in errors  # whoever wrote it
    check(path)
    assert {entry.name for entry in path.iterdir()} == {"run.json", "shards", "items.parquet", "manifest.json"}
    assert list((tmp_path / "cache.submitit").glob("*_log.err"))


@pytest.mark.slow
def test_workers_end_when_the_command_is_interrupted_and_leave_a_run_that_goes_on(
    command, environment, check, tmp_path
):
    path = tmp_path / "cache"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    wait_for(lambda: n_shards(path) > 3, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not any(worker.alive for worker in run_status(path).workers)
    assert n_shards(path) < 60
    subprocess.run(command, env=environment, check=True, capture_output=True)
    check(path)


@pytest.mark.slow
def test_when_every_worker_fails_their_reason_is_the_error(command, environment, tmp_path):
    done = subprocess.run(
        [*command, "--scale", "x", "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: scale 'x'")
    assert done.stdout == ""


@pytest.mark.slow
def test_the_summary_alone_is_on_stdout(command, environment, alone, tmp_path):
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=True)
    assert (
        json.loads(done.stdout)["content_hash"]
        == alone.content_hash
        == FeatureCache.open(tmp_path / "cache").content_hash
    )
