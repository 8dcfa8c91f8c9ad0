"""Extractions that are killed, starved of disk, or run beside each other end in the same cache."""

import json
import random
import resource
import subprocess
import sys
import time

import pytest
from lager.data.cache import FeatureCache
from lager.data.verify import verify_cache

N_ITEMS = 60


@pytest.fixture(scope="module")
def command(repository):
    """The arguments of one extraction on the demo's judge, with the folder of the cache to come."""
    demo = repository / "data" / "demo"
    start = [sys.executable, "-c", "from lager.cli import main; main()"]
    options = ["--limit", str(N_ITEMS), "--shard-size", "4", "--cache"]
    return [*start, "extract", str(demo / "judge"), str(demo / "train.jsonl"), *options]


@pytest.fixture(scope="module")
def uninterrupted(command, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "cache"
    subprocess.run([*command, str(path)], check=True, capture_output=True)
    return FeatureCache.open(path)


@pytest.mark.slow
def test_killed_at_random_moments_and_run_again_it_ends_in_the_same_cache(command, uninterrupted, tmp_path):
    path = tmp_path / "cache"
    rng = random.Random(0)
    kept: dict[str, int] = {}
    for _ in range(8):
        process = subprocess.Popen([*command, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        n_before = len(list(path.glob("shards/*.h5")))
        while len(list(path.glob("shards/*.h5"))) == n_before and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.wait()
        now = {shard.name: shard.stat().st_mtime_ns for shard in path.glob("shards/*.h5")}
        assert {name: now.get(name) for name in kept} == kept, "a finished shard was made again"
        kept = now
    subprocess.run([*command, str(path)], check=True, capture_output=True)
    assert FeatureCache.open(path).content_hash == uninterrupted.content_hash
    assert verify_cache(path) == []


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2, 4])
def test_processes_that_write_one_cache_at_once_agree(command, uninterrupted, tmp_path, n_processes):
    path = tmp_path / "cache"
    processes = [
        subprocess.Popen([*command, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(n_processes)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert FeatureCache.open(path).content_hash == uninterrupted.content_hash
    assert verify_cache(path) == []


def test_a_full_disk_is_one_clear_line_and_what_was_finished_stays(command, tmp_path):
    path = tmp_path / "cache"
    limited = subprocess.run(
        [*command, str(path)],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)),
    )  # fmt: skip
    assert limited.returncode == 1
    last = limited.stderr.strip().splitlines()[-1]
    assert last.startswith("error: cannot write")
    assert "Traceback" not in limited.stderr
    assert json.loads((path / "run.json").read_text())["n_items"] == N_ITEMS
    assert list(path.rglob("*.tmp")) == []
