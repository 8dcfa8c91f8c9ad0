"""A folder that vanishes or cannot be written is one clear line, and what was finished stays readable."""

import contextlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from lager.cli import main
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from lager.data.tools.verify import verify_cache
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from lager.extract.run import shard_reader
from support.extraction import run, write_items
from support.tiny_models import save_judge
from support.user_rights import modes


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return load_judge(save_judge(tmp_path_factory.mktemp("judge")), LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 11)


def interrupt():
    raise KeyboardInterrupt


def remove(path):
    """Remove a folder into which others still write."""
    while path.exists():
        with contextlib.suppress(OSError):
            shutil.rmtree(path)


def during(monkeypatch, what, *, after):
    """Do something when a shard is about to be read, and just so many have been written."""
    original = shard_reader.ShardReader.read
    calls, written = [], threading.Semaphore(0)
    original_write = CacheWriter.write

    def read(self, item_id, rows, **options):
        if len(calls) == after:
            for _ in range(after):
                assert written.acquire(timeout=20)
            what()
        calls.append(1)
        return original(self, item_id, rows, **options)

    def write(self, *arguments, **options):
        original_write(self, *arguments, **options)
        written.release()

    monkeypatch.setattr(CacheWriter, "write", write)

    monkeypatch.setattr(shard_reader.ShardReader, "read", read)


def test_a_cache_that_is_removed_in_mid_run_is_told_and_the_same_command_starts_anew(
    judge, items, tmp_path, monkeypatch
):
    whole = run(judge, items, tmp_path / "whole")
    with monkeypatch.context() as patch:
        during(patch, lambda: remove(tmp_path / "cache"), after=1)
        with pytest.raises(LagerError, match=r"its folder was removed or emptied during the run .* again"):
            run(judge, items, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    assert run(judge, items, tmp_path / "cache").content_hash == whole.content_hash


def test_shards_that_are_removed_in_mid_run_are_read_again(judge, items, tmp_path, monkeypatch):
    whole = run(judge, items, tmp_path / "whole")
    during(monkeypatch, lambda: remove(tmp_path / "cache" / "shards"), after=2)
    assert run(judge, items, tmp_path / "cache").content_hash == whole.content_hash
    assert verify_cache(tmp_path / "cache") == []


def test_a_cache_is_not_begun_where_nothing_can_be_written(judge, items, tmp_path):
    (tmp_path / "closed").mkdir()
    with modes(0o555, tmp_path / "closed"), pytest.raises(LagerError, match=r"cannot write .*: Permission denied"):
        run(judge, items, tmp_path / "closed" / "cache")
    assert list((tmp_path / "closed").iterdir()) == []


def test_a_folder_that_becomes_read_only_keeps_what_was_finished(judge, items, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    whole = run(judge, items, tmp_path / "whole")
    with monkeypatch.context() as patch:
        during(patch, interrupt, after=1)
        with pytest.raises(KeyboardInterrupt):
            run(judge, items, cache)
    (shard,) = (cache / "shards").iterdir()
    kept = shard.read_bytes()
    shutil.rmtree(cache / "workers", ignore_errors=True)
    with modes(0o555, cache, cache / "shards"), pytest.raises(LagerError, match=r"cannot write .*: Permission denied"):
        run(judge, items, cache)
    assert shard.read_bytes() == kept
    assert run(judge, items, cache).content_hash == whole.content_hash


def test_a_finished_cache_in_a_read_only_folder_is_not_given_other_items(judge, items, tmp_path):
    made = run(judge, items, tmp_path / "cache")
    folders = (tmp_path / "cache", tmp_path / "cache" / "shards")
    with modes(0o555, *folders), pytest.raises(LagerError, match=r"cannot write .*: Permission denied"):
        run(judge, items, tmp_path / "cache", limit=5, replace=True)
    assert verify_cache(tmp_path / "cache") == []
    assert run(judge, items, tmp_path / "cache").content_hash == made.content_hash


def test_a_finished_cache_in_a_read_only_folder_is_read_and_complete(judge, items, tmp_path):
    made = run(judge, items, tmp_path / "cache")
    with modes(0o555, tmp_path / "cache", tmp_path / "cache" / "shards"):
        assert verify_cache(tmp_path / "cache") == []
        assert FeatureCache.open(tmp_path / "cache").logits.shape[0] == 11
        assert run(judge, items, tmp_path / "cache").content_hash == made.content_hash


def test_a_folder_that_may_not_be_entered_is_one_line(tmp_path, capsys):
    (tmp_path / "closed").mkdir()
    with modes(0, tmp_path / "closed"), pytest.raises(SystemExit) as stopped:
        main(["cache", "verify", str(tmp_path / "closed" / "cache")])
    assert stopped.value.code == 1
    assert capsys.readouterr().err.endswith("Permission denied; ask its owner, or choose another\n")


@pytest.mark.slow
def test_an_interrupt_from_the_keyboard_says_what_is_kept_and_how_to_go_on(repository, tmp_path):
    demo = repository / "data" / "demo"
    arguments = ["extract", str(demo / "judge"), str(demo / "train.jsonl"), "--shard-size", "4", "--cache", "cache"]
    command = [sys.executable, "-c", "from lager.cli import main; main()", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("cache/shards/*.h5"))) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "shards are kept in cache; the same command goes on there" in errors
    assert "Traceback" not in errors
