"""Workers on GPUs, as many as there are or more: the same cache for any number of them, whoever dies."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from lager.data.cache.feature_cache import FeatureCache
from lager.data.run.run_status import run_status
from lager.data.run.worker_records import WORKERS
from support.processes import n_shards, wait_for

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,  # some minutes of starting processes
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.filterwarnings("ignore"),  # of other versions of torch, which come with the machine
]
LAGER = ["lager", "extract"]


@pytest.fixture(scope="module")
def arguments(repository):
    """Of an extraction with the demo's judge on the default device: 60 shards in bfloat16."""
    demo = repository / "data" / "demo"
    return [str(demo / "judge"), str(demo / "train.jsonl"), "--shard-size", "4", "--dtype", "bfloat16"]


@pytest.fixture(scope="module")
def alone(arguments, environment, tmp_path_factory):
    """The cache of one process on the GPU, in the place of the one on the CPU."""
    path = tmp_path_factory.mktemp("alone") / "cache"
    subprocess.run([*LAGER, *arguments, "--cache", str(path)], env=environment, check=True, capture_output=True)
    return FeatureCache.open(path)


@pytest.mark.parametrize("n_workers", [1, 2, 3, 7])
def test_any_number_of_workers_on_the_gpus_make_the_same_cache(arguments, environment, check, tmp_path, n_workers):
    path = tmp_path / "cache"
    command = [*LAGER, *arguments, "--cache", str(path), "--workers", str(n_workers)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check(path)


def test_ranks_that_are_killed_and_started_again_make_the_same_cache(arguments, environment, check, tmp_path):
    path, rng = tmp_path / "cache", random.Random(0)

    def start(rank):
        command = [*LAGER, *arguments, "--cache", str(path), "--rank", str(rank), "--world-size", "3"]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    workers = [start(rank) for rank in range(3)]
    for _ in range(3):
        before = n_shards(path)
        wait_for(lambda n=before: n_shards(path) >= min(n + 2, 60))
        alive = [rank for rank, worker in enumerate(workers) if worker.poll() is None]
        if not alive:
            break
        victim = rng.choice(alive)
        os.kill(workers[victim].pid, signal.SIGKILL)
        workers[victim].communicate()
        workers[victim] = start(victim)
    for worker in workers:
        _, said = worker.communicate(timeout=200)
        assert worker.returncode == 0, said
    check(path)


def test_torchrun_gives_each_worker_a_gpu(arguments, environment, check, tmp_path):
    path = tmp_path / "cache"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "gpu", "--no-python"]
    done = subprocess.run(
        [*torchrun, *LAGER, *arguments, "--cache", str(path)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    check(path)


def test_ray_actors_share_the_gpus(arguments, environment, check, tmp_path):
    pytest.importorskip("ray")
    path = tmp_path / "cache"
    command = [*LAGER, *arguments, "--cache", str(path), "--engine", "ray", "--workers", "2"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    at_once = 0
    while process.poll() is None:
        if (path / WORKERS).exists():
            at_once = max(at_once, sum(worker.alive for worker in run_status(path).workers))
        time.sleep(0.05)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert at_once == 2
    check(path)
