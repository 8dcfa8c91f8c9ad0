"""An extraction with the demo's judge, to be run in processes of its own: 60 shards."""

import os
import subprocess
import sys

import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.run.worker_records import WORKERS
from lager.data.tools.verify import verify_cache


@pytest.fixture(scope="session")
def arguments(repository):
    demo = repository / "data" / "demo"
    return [str(demo / "judge"), str(demo / "train.jsonl"), "--shard-size", "4", "--device", "cpu", "--deterministic"]


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Variables with which recipes find `lager` and torchrun."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "lager"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from lager.cli import main; main()" "$@"\n')
    script.chmod(0o755)
    path = os.pathsep.join([str(folder), os.path.dirname(sys.executable), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.fixture(scope="session")
def alone(arguments, environment, tmp_path_factory):
    """The cache of one process."""
    path = tmp_path_factory.mktemp("alone") / "cache"
    command = ["lager", "extract", *arguments, "--cache", str(path)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return FeatureCache.open(path)


@pytest.fixture
def check(alone):
    """A function that compares a cache with that of one process."""

    def compare(path):
        assert FeatureCache.open(path).content_hash == alone.content_hash
        assert verify_cache(path) == []
        assert not (path / WORKERS).exists()

    return compare
