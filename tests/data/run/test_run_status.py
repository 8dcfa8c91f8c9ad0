"""How far a run is, from its folder alone: shards, the living and the dead, failures, time left."""

import os
import time

import pytest
from lager.cli import main
from lager.data.cache.manifest import MANIFEST, shard_name
from lager.data.errors import LagerError
from lager.data.run.run_status import run_status
from lager.data.run.worker_records import (
    WORKERS,
    WorkerRecord,
    make_folders,
    record_failure,
    remove_records,
    this_machine,
)
from support.caches import make_cache
from support.schemas import check_output


@pytest.fixture
def cache(tmp_path):
    """A run of 40 items in shards of 16 that has lost its second shard and its manifest."""
    path = make_cache(tmp_path / "cache", 40, shard_size=16).path
    (path / MANIFEST).unlink()
    (path / shard_name(1)).unlink()
    make_folders(path)
    return path


def write_record(cache, rank, *, age=0.0, machine="elsewhere", **changes):
    record = WorkerRecord(f"w{rank}", rank, 3, f"node{rank}", os.getpid(), machine, ["cpu"], "now", **changes)
    record.write(cache)
    os.utime(cache / WORKERS / f"w{rank}.json", (time.time() - age,) * 2)


def test_items_speed_and_time_left_are_those_of_the_living(cache):
    write_record(cache, 0, state="reading", shard=1, items_done=16, shards_done=1, seconds=8.0)
    write_record(cache, 1, state="reading", shard=2, items_done=8, shards_done=1, seconds=4.0, age=10_000)
    write_record(cache, 2, state="finished", items_done=99, seconds=1.0)
    now = run_status(cache)
    assert (now.items, now.items_done, now.shards, now.shards_done) == (40, 24, 3, 2)
    assert now.running == (1,)
    assert [worker.alive for worker in now.workers] == [True, False, False]
    assert (now.items_per_second, now.seconds_left) == (2.0, 8.0)
    assert not now.complete


def test_a_failed_shard_is_listed_until_it_is_there(cache):
    record_failure(cache, 1, reason="out of memory", worker="w0")
    record_failure(cache, 2, reason="it was read after all", worker="w0")
    assert [(failure.shard, failure.reason) for failure in run_status(cache).failed] == [(1, "out of memory")]


def test_without_workers_the_time_left_is_unknown_and_a_complete_run_has_none(cache):
    assert run_status(cache).seconds_left is None
    remove_records(cache)
    (cache / MANIFEST).write_text("{}")
    assert run_status(cache).complete


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(LagerError, match="holds no run"):
        run_status(tmp_path)


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["cache", "status", *map(str, arguments)])
    return stopped.value.code or 0


def test_the_command_shows_every_worker_and_failure(cache, capsys):
    write_record(cache, 0, state="reading", shard=1, items_done=16, shards_done=1, seconds=8.0)
    write_record(cache, 1, state="waiting", age=10_000)
    record_failure(cache, 1, reason="[red]no\x1b[2J memory", worker="w0")
    assert run(cache) == 0
    out = capsys.readouterr().out
    assert "2/3 shards done, 1 running, 1 failed, 2.0 items/s, 0:00:08 left" in out
    assert "lost" in out.split("node1")[1].splitlines()[0]
    assert "shard 1 failed: [red]no" in out
    assert "\x1b" not in out


def test_as_json_it_says_the_same(cache, capsys):
    write_record(cache, 0, state="reading", shard=1, items_done=16, shards_done=1, seconds=8.0, machine=this_machine())
    assert run(cache, "--json") == 0
    now = check_output("cache-status", capsys.readouterr().out)
    assert (now["shards_done"], now["running"], now["workers"][0]["alive"]) == (2, [1], True)


def test_watching_ends_when_the_run_is_complete(cache, capsys):
    (cache / MANIFEST).write_text("{}")
    assert run(cache, "--watch") == 0
    assert capsys.readouterr().out == "complete: 3 shards, 40 items\n"
