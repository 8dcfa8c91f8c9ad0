"""Claims: one worker wins, the living keep theirs, the dead lose them, and a run that is over is left alone."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from lager.data.run.worker_records import (
    STALE_SECONDS,
    WORKERS,
    WorkerRecord,
    make_folders,
    read_failures,
    read_workers,
    record_failure,
    remove_records,
    this_machine,
)
from lager.extract.workers.claims import Claims


@pytest.fixture
def cache(tmp_path):
    make_folders(tmp_path)
    return tmp_path


def write_record(cache, name, *, pid=None, machine=None, age=0.0, **changes):
    machine = this_machine() if machine is None else machine
    record = WorkerRecord(name, 0, 2, "host", os.getpid() if pid is None else pid, machine, ["cpu"], "now", **changes)
    record.write(cache)
    path = cache / WORKERS / f"{name}.json"
    os.utime(path, (time.time() - age, time.time() - age))


def test_of_many_workers_one_gets_a_claim(cache):
    for n in range(8):
        write_record(cache, f"w{n}")
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: Claims(cache, f"w{n}").take("00003"), range(8)))
    assert sum(won) == 1
    assert Claims(cache, f"w{won.index(True)}").take("00003")


def test_a_claim_that_is_dropped_is_free(cache):
    write_record(cache, "a")
    first = Claims(cache, "a")
    assert first.take("00000")
    first.drop("00000")
    assert Claims(cache, "b").take("00000")


@pytest.mark.parametrize("state", ["reading", "waiting", "starting"])
def test_the_living_keep_their_claims(cache, state):
    write_record(cache, "a", state=state)
    assert Claims(cache, "a").take("00000")
    assert not Claims(cache, "b").take("00000")
    write_record(cache, "a", machine="another one", pid=1, age=STALE_SECONDS / 2)
    assert not Claims(cache, "b").take("00000")


def test_a_worker_that_ended_was_killed_or_fell_silent_loses_its_claims(cache):
    killed = subprocess.Popen([sys.executable, "-c", "pass"])
    killed.wait()
    deaths = [{"pid": killed.pid}, {"state": "stopped"}, {"state": "finished"}]
    deaths += [{"machine": "another one", "age": 2 * STALE_SECONDS}]
    for n, death in enumerate(deaths):
        write_record(cache, "a", **death)
        (cache / WORKERS / "claims" / f"{n:05d}").write_text("a")
        assert Claims(cache, "b").take(f"{n:05d}"), death
    (cache / WORKERS / "claims" / "00009").write_text("nobody with a record")
    assert Claims(cache, "b").take("00009")


def test_a_claim_that_is_being_written_is_respected_for_a_while(cache):
    path = cache / WORKERS / "claims" / "00000"
    path.touch()
    assert not Claims(cache, "b").take("00000")
    os.utime(path, (time.time() - 2 * STALE_SECONDS,) * 2)
    assert Claims(cache, "b").take("00000")


def test_nothing_comes_back_after_the_records_were_removed(cache):
    write_record(cache, "a")
    record = read_workers(cache)[0][0]
    remove_records(cache)
    record.write(cache)
    record_failure(cache, 1, reason="x", worker="a")
    assert not Claims(cache, "a").take("00000")
    assert list(cache.iterdir()) == []


def test_files_that_are_no_records_are_passed_over(cache):
    write_record(cache, "a")
    (cache / WORKERS / "b.json").write_text("{")
    (cache / WORKERS / "c.json").write_text('{"worker": 3}')
    (cache / WORKERS / "failed" / "x.json").write_text("[]")
    record_failure(cache, 12, reason="no memory", worker="a")
    assert [worker.worker for worker, _ in read_workers(cache)] == ["a"]
    assert [failure[:3] for failure in read_failures(cache)] == [(12, "no memory", "a")]
