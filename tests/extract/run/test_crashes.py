"""Extractions that are killed, starved of disk, or run beside each other end in the same cache."""

import json
import resource
import subprocess
import sys

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.tools.verify import verify_cache

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
@pytest.mark.parametrize("options", [[], ["--after-limit"]], ids=["from nothing", "after --limit"])
def test_killed_at_random_moments_and_run_again_it_ends_in_the_same_cache(repository, options):
    script = [sys.executable, str(repository / "benchmarks" / "attacks" / "kills.py"), "--kills", "9", *options]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of 9 ended in another cache" in done.stdout


def run_at_once(command, path, n_processes):
    processes = [
        subprocess.Popen([*command, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(n_processes)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert verify_cache(path) == []
    return FeatureCache.open(path)


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2, 4])
def test_processes_that_write_one_cache_at_once_agree(command, uninterrupted, tmp_path, n_processes):
    assert run_at_once(command, tmp_path / "cache", n_processes).content_hash == uninterrupted.content_hash


@pytest.mark.slow
def test_processes_that_give_a_cache_other_items_at_once_agree(command, uninterrupted, tmp_path):
    path = tmp_path / "cache"
    fewer = [*command[: command.index("--limit")], "--limit", "25", *command[command.index("--limit") + 2 :]]
    subprocess.run([*fewer, str(path)], check=True, capture_output=True)
    cache = run_at_once([*command[:-1], "--replace", "--cache"], path, 2)
    assert cache.items_hash == uninterrupted.items_hash
    np.testing.assert_allclose(cache.logits, uninterrupted.logits, atol=1e-4)


@pytest.mark.slow
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
