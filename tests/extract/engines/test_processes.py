"""Real processes on a real cluster of Ray, under torchrun and with Slurm's variables: the same cache, whoever dies."""

import json
import os
import random
import signal
import subprocess
import time

import pytest
from lager.data.run.run_status import run_status
from support.processes import n_shards, wait_for

pytestmark = pytest.mark.slow


def test_the_array_recipe_ends_in_the_same_cache_after_tasks_were_killed_and_requeued(
    repository, arguments, environment, check, tmp_path
):
    path, rng = tmp_path / "cache", random.Random(0)
    command = ["bash", str(repository / "docs/recipes/slurm_array.sh"), *arguments, "--cache", str(path)]

    def start(task):
        array = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_PROCID": "0"}
        with (tmp_path / f"{task}.log").open("a") as log:
            return subprocess.Popen(command, env={**environment, **array}, stderr=log, start_new_session=True)

    tasks = {task: start(task) for task in range(4)}
    for killed in (1, 3):
        before = n_shards(path)
        wait_for(lambda n=before: n_shards(path) > n + 3)
        time.sleep(rng.uniform(0, 0.2))
        os.killpg(tasks[killed].pid, signal.SIGKILL)
        tasks[killed].wait()
    tasks[1] = start(1)
    for task in (0, 1, 2):
        assert tasks[task].wait(timeout=200) == 0, (tmp_path / f"{task}.log").read_text()
    assert "worker 2 of 4 (from SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT)" in (tmp_path / "2.log").read_text()
    check(path)


def test_the_torchrun_recipe_makes_the_same_cache(repository, arguments, environment, check, tmp_path):
    command = ["bash", str(repository / "docs/recipes/torchrun.sh"), *arguments, "--cache", str(tmp_path / "cache")]
    done = subprocess.run(command, env={**environment, "WORKERS": "2"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f"worker {rank} of 2 (from RANK and WORLD_SIZE)" in done.stderr for rank in (0, 1))
    check(tmp_path / "cache")


def test_on_one_machine_a_killed_worker_is_started_again_and_the_status_follows_to_the_end(
    repository, arguments, environment, check, tmp_path
):
    path = tmp_path / "cache"
    command = ["bash", str(repository / "docs/recipes/eight_gpus.sh"), *arguments, "--cache", str(path)]
    process = subprocess.Popen(command, env={**environment, "WORKERS": "2"}, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: n_shards(path) > 3, process)
    victim = run_status(path).workers[-1].record
    os.kill(victim.pid, signal.SIGKILL)
    watching = ["lager", "cache", "status", str(path), "--watch", "--every", "0.2", "--json"]
    lines = subprocess.run(watching, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert f"worker {victim.rank} was lost (ended by signal 9); it is started again" in errors
    looks = [json.loads(line) for line in lines]
    assert any(0 < look["shards_done"] < 60 and look["items_per_second"] > 0 for look in looks)
    assert looks[-1]["complete"]
    check(path)


def test_workers_end_with_the_command_that_started_them(arguments, environment, tmp_path):
    path = tmp_path / "cache"
    command = ["lager", "extract", *arguments, "--cache", str(path), "--workers", "2"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    wait_for(lambda: n_shards(path) > 1, process)
    process.kill()
    process.wait()
    wait_for(lambda: not any(worker.alive for worker in run_status(path).workers), seconds=20)
    assert n_shards(path) < 60


@pytest.mark.filterwarnings("ignore")
def test_a_ray_cluster_of_two_nodes_makes_the_same_cache_though_an_actor_is_killed(
    repository, arguments, environment, check, tmp_path
):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    path = tmp_path / "cache"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        command = ["bash", str(repository / "docs/recipes/ray_cluster.sh"), *arguments, "--cache", str(path)]
        variables = {**environment, "RAY_ADDRESS": cluster.address, "WORKERS": "2"}
        process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: n_shards(path) > 3, process)
        victim = run_status(path).workers[-1].record
        os.kill(victim.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert f"worker {victim.rank} was lost" in errors
    finally:
        cluster.shutdown()
    check(path)


@pytest.mark.filterwarnings("ignore")
def test_on_a_ray_cluster_with_one_gpu_two_actors_read_at_the_same_time(arguments, environment, check, tmp_path):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    path = tmp_path / "cache"
    # To Ray a GPU is a number; where there is none, the workers take the processor.
    without_device = [word for word in arguments if word not in {"--device", "cpu"}]
    head = {"num_cpus": 2, "num_gpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        command = ["lager", "extract", *without_device, "--cache", str(path), "--engine", "ray", "--workers", "2"]
        variables = {**environment, "RAY_ADDRESS": cluster.address}
        process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
        wait_for((path / "run.json").exists, process)
        wait_for(lambda: sum(worker.alive for worker in run_status(path).workers) == 2, process)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    finally:
        cluster.shutdown()
    check(path)
