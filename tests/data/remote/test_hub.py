"""Caches in dataset repositories, against the hub's HTTP interface on loopback; each command is its own process."""

import json
import os
import subprocess
import sys

import pytest
from lager.data.tools.verify import verify_cache
from support.caches import make_cache
from support.hub_server import hub_server

pytestmark = pytest.mark.slow


@pytest.fixture
def hub():
    with hub_server() as server:
        yield server
    assert server.unknown == []


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_cache(tmp_path_factory.mktemp("made") / "cache")


def lager(hub, *arguments):
    settings = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_secretsecretsecretsecret", "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # fmt: skip
    command = [sys.executable, "-c", "from lager.cli import main; main()", "cache", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **settings})
    assert "secretsecret" not in done.stdout + done.stderr
    return done


def test_a_cache_goes_to_a_private_repository_in_one_commit_and_comes_back(hub, made, tmp_path):
    done = lager(hub, "push", made.path, "hf://datasets/lab/cache", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sent"] == 4
    assert hub.private == {"lab/cache": True}
    assert [sorted(paths) for paths in hub.commits] == [sorted(hub.files["lab/cache"])]
    assert hub.files["lab/cache"]["README.md"].startswith(b"---\nlicense:")
    done = lager(hub, "pull", "hf://datasets/lab/cache", tmp_path / "here")
    assert done.returncode == 0, done.stderr
    assert verify_cache(tmp_path / "here") == []


def test_a_cache_is_removed_in_one_commit_and_what_history_keeps_is_told(hub, made):
    assert lager(hub, "push", made.path, "hf://datasets/lab/cache/a").returncode == 0
    hub.files["lab/cache"]["a/other.txt"] = b"kept"
    done = lager(hub, "rm", "hf://datasets/lab/cache/a")
    assert done.returncode == 0, done.stderr
    assert "squash its history" in done.stdout
    assert list(hub.files["lab/cache"]) == ["a/other.txt"]
    assert len(hub.commits) == 2


def test_what_the_hub_has_is_not_sent_again(hub, made):
    hub.refused_after = 2
    assert lager(hub, "push", made.path, "hf://datasets/lab/cache/a", "--jobs", "1").returncode == 1
    assert hub.files["lab/cache"] == {}
    hub.refused_after = None
    assert lager(hub, "push", made.path, "hf://datasets/lab/cache/a").returncode == 0
    assert hub.uploads == 4
    done = lager(hub, "push", made.path, "hf://datasets/lab/cache/a", "--json")
    assert json.loads(done.stdout)["kept"] == 4
    assert len(hub.commits) == 1


def test_a_repository_that_is_more_public_than_asked_is_refused(hub, made):
    hub.private["lab/cache"], hub.files["lab/cache"] = False, {}
    done = lager(hub, "push", made.path, "hf://datasets/lab/cache")
    assert done.returncode == 1
    assert "is public already" in done.stderr
    assert lager(hub, "push", made.path, "hf://datasets/lab/cache", "--public").returncode == 0
    assert lager(hub, "pull", "hf://datasets/lab/nothing", "somewhere").returncode == 1
