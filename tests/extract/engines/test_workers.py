"""Any number of workers make the same cache, help each other out, and say what went wrong."""

import json
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from lager.cli import main
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.manifest import MANIFEST
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from lager.data.run.run_status import run_status
from lager.data.run.worker_records import WORKERS, WorkerRecord, make_folders, remove_records
from lager.data.tools.verify import verify_cache
from lager.extract.engines.engine import Ended, make_call, read_call
from lager.extract.engines.supervise import MOST_RESTARTS, run_workers
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import ExtractOptions, LoadOptions
from lager.extract.options.option import make
from lager.extract.planning import prepare
from lager.extract.run.shard_reader import ShardReader
from lager.extract.workers import presence
from support.extraction import run, write_items
from support.tiny_models import save_judge

SLOW = pytest.mark.slow
OPTIONS = {"shard_size": 4, "device": "cpu"}


class ThreadEngine:
    """Workers in threads of this process; some of them are lost at their first start."""

    def __init__(self, n_workers, *, lost=()):
        self.n_workers, self.lost = n_workers, list(lost)
        self.pool, self.running, self.starts = ThreadPoolExecutor(n_workers), {}, 0

    def start(self, call):
        self.starts += 1
        if call["rank"] in self.lost:
            self.lost.remove(call["rank"])
            self.running[call["rank"]] = Future()
            self.running[call["rank"]].set_exception(OSError("killed"))
        else:
            self.running[call["rank"]] = self.pool.submit(read_call, call)

    def ended(self):
        time.sleep(0.01)  # the workers are threads of this process and need it too
        done = [rank for rank, future in self.running.items() if future.done()]
        found = [(rank, self.running.pop(rank)) for rank in done]
        return [Ended(rank, None, "killed") if one.exception() else Ended(rank, one.result()) for rank, one in found]

    def close(self):
        self.pool.shutdown()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A judge's folder and an item file."""
    folder = tmp_path_factory.mktemp("inputs")
    return save_judge(folder / "judge"), write_items(folder / "items.jsonl", 41, long=[17])


@pytest.fixture(scope="module")
def alone(inputs, tmp_path_factory):
    return run(*inputs, tmp_path_factory.mktemp("alone") / "cache", device="cpu")


@pytest.fixture(autouse=True)
def workers_in_threads(monkeypatch):
    """Let workers look often, and load their models in turn: transformers changes globals of torch meanwhile."""
    lock = threading.Lock()

    def load_in_turn(*arguments, **options):
        with lock:
            return load_judge(*arguments, **options)

    monkeypatch.setattr(presence, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(prepare, "load_judge", load_in_turn)


def call_of(folder, items, cache, **options):
    return make_call(folder, items, cache=cache, options=make(ExtractOptions, {**OPTIONS, **options}))


@pytest.mark.parametrize("n_workers", [pytest.param(1, marks=SLOW), 2, pytest.param(3, marks=SLOW), 7])
def test_any_number_of_workers_make_the_same_cache_and_leave_no_traces(inputs, alone, tmp_path, n_workers):
    path = tmp_path / "cache"
    results = run_workers(ThreadEngine(n_workers), call_of(*inputs, path), say=print, shown=False)
    assert sum(result["shards"] for result in results) == 11
    assert sum(result["items"] for result in results) == 41
    cache = FeatureCache.open(path)
    assert (cache.content_hash, cache.items_hash) == (alone.content_hash, alone.items_hash)
    assert verify_cache(path) == []
    assert not (path / WORKERS).exists()


def test_a_shard_that_is_still_being_written_is_read_by_no_other_worker(inputs, tmp_path, monkeypatch):
    write, read, reads = CacheWriter.write, ShardReader.read, []

    def slow(self, *arguments, **options):
        time.sleep(0.2)
        write(self, *arguments, **options)

    def counted(self, item_id, *arguments, **options):
        reads.append(item_id[0])
        return read(self, item_id, *arguments, **options)

    monkeypatch.setattr(CacheWriter, "write", slow)
    monkeypatch.setattr(ShardReader, "read", counted)
    results = run_workers(ThreadEngine(2), call_of(*inputs, tmp_path / "cache"), say=print, shown=False)
    assert len(reads) == len(set(reads)) == 11
    assert sum(result["shards"] for result in results) == 11


def test_a_lost_worker_is_started_again_and_one_that_is_lost_again_and_again_is_made_up_for(inputs, alone, tmp_path):
    engine = ThreadEngine(3, lost=[1, 2, *[0] * (MOST_RESTARTS + 1)])
    said = []
    results = run_workers(engine, call_of(*inputs, tmp_path / "cache"), say=said.append, shown=False)
    assert engine.starts == 3 + 2 + MOST_RESTARTS
    assert sorted(result["rank"] for result in results if "error" in result) == [0]
    assert any("worker 0 failed: it was lost 4 times" in line for line in said)
    assert FeatureCache.open(tmp_path / "cache").content_hash == alone.content_hash


def test_when_every_worker_fails_their_reason_is_the_error(inputs, tmp_path):
    call = call_of(*inputs, tmp_path / "cache", scale="x")
    with pytest.raises(LagerError, match="scale 'x'"):
        run_workers(ThreadEngine(2), call, say=print, shown=False)


def test_several_workers_of_a_private_cache_use_one_secret(inputs, tmp_path):
    run_workers(ThreadEngine(3), call_of(*inputs, tmp_path / "a", private=True), say=print, shown=False)
    a = FeatureCache.open(tmp_path / "a")
    assert verify_cache(tmp_path / "a") == []
    again = run(*inputs, tmp_path / "a", private=True, device="cpu")  # all shards are this run's own
    assert again.content_hash == a.content_hash


def test_a_shard_that_a_dead_worker_claimed_is_read_by_another(inputs, alone, tmp_path):
    path = tmp_path / "cache"
    path.mkdir()
    make_folders(path)
    (path / "run.json").write_bytes((alone.path / "run.json").read_bytes())
    dead = WorkerRecord("00001-dead", 1, 2, "elsewhere", 1, "another machine", ["cpu"], "then", state="stopped")
    dead.write(path)
    (path / WORKERS / "claims" / "00003").write_text(dead.worker)
    assert run(*inputs, path, rank=0, world_size=2, device="cpu").content_hash == alone.content_hash


def test_a_damaged_shard_is_read_again_by_the_worker_whose_it_is(inputs, alone, tmp_path):
    path = tmp_path / "cache"
    run(*inputs, path, device="cpu")
    for shard in (2, 7):
        (path / f"shards/{shard:05d}.h5").write_bytes(b"garbage")
    run_workers(ThreadEngine(2), call_of(*inputs, path), say=print, shown=False)
    assert verify_cache(path) == []
    assert FeatureCache.open(path).content_hash == alone.content_hash


def test_a_worker_goes_on_when_another_one_takes_the_run_for_finished(inputs, alone, tmp_path, monkeypatch):
    original = ShardReader.read

    def read(self, item_id, plan, **options):
        remove_records(tmp_path / "cache")
        return original(self, item_id, plan, **options)

    monkeypatch.setattr(ShardReader, "read", read)
    cache = run(*inputs, tmp_path / "cache", device="cpu", max_failures=3)
    assert cache.content_hash == alone.content_hash
    assert not (cache.path / WORKERS).exists()


def test_a_worker_that_waits_ends_when_the_folder_is_gone(inputs, alone, tmp_path):
    path = tmp_path / "cache"
    path.mkdir()
    (path / "run.json").write_bytes((alone.path / "run.json").read_bytes())
    make_folders(path)
    other = WorkerRecord("00001-x", 1, 2, "elsewhere", 1, "another machine", ["cpu"], "then", state="reading")
    other.write(path)
    (path / WORKERS / "claims" / "00003").write_text(other.worker)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, *inputs, path, device="cpu")
        while len(list(path.glob("shards/*.h5"))) < 10:
            assert not waiting.done()
            time.sleep(0.05)
        # Renamed, which is one step: removed file by file, the worker could write its record in between.
        path.rename(tmp_path / "gone")
        with pytest.raises(LagerError, match="removed or emptied during the run"):
            waiting.result(timeout=60)
    assert not path.exists()


def test_too_many_failed_items_of_all_workers_together_are_too_many(inputs, tmp_path, monkeypatch):
    original = ShardReader.read

    def read(self, item_id, plan, **options):
        data = original(self, item_id, plan, **options)
        data.valid[0], data.reason[0] = False, "the read-out is not finite"
        data.logits[0], data.logits_normed[0], data.logsumexp[0], data.position[0] = np.nan, np.nan, np.nan, -1
        return data

    monkeypatch.setattr(ShardReader, "read", read)
    path = tmp_path / "cache"
    with pytest.raises(LagerError, match=r"11 of 40 items failed, more than --max-invalid 0\.26"):
        # However many of the eleven shards one worker reads: only all of them are too many.
        run_workers(ThreadEngine(3), call_of(*inputs, path, max_invalid=0.26), say=print, shown=False)
    assert not (path / MANIFEST).exists()


class EndedEngine:
    """Workers that have ended: one found the manifest in the making, the other, who made it, objected."""

    n_workers = 2

    def __init__(self):
        self.left = [Ended(0, {"rank": 0, "shards": 2}), Ended(1, {"rank": 1, "error": "too many items failed"})]

    def start(self, call):
        pass

    def ended(self):
        found, self.left = self.left, []
        return found

    def close(self):
        pass


def test_an_objection_to_the_manifest_fails_the_run_though_other_workers_ended_well(tmp_path):
    with pytest.raises(LagerError, match="too many items failed"):
        run_workers(EndedEngine(), {"cache": str(tmp_path)}, say=print, shown=False)
    (tmp_path / MANIFEST).write_text("{}")  # others did what the failed one left
    assert len(run_workers(EndedEngine(), {"cache": str(tmp_path)}, say=print, shown=False)) == 2


def fail_at(monkeypatch, rows, error):
    """Let the shards that begin at these rows fail."""
    original = ShardReader.read

    def read(self, item_id, plan, **options):
        if item_id[0] in {f"q{row}" for row in rows}:
            raise error
        return original(self, item_id, plan, **options)

    monkeypatch.setattr(ShardReader, "read", read)


def test_failed_shards_are_recorded_the_others_read_and_a_new_run_tries_them_again(
    inputs, alone, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "cache"
    with monkeypatch.context() as patch:
        fail_at(patch, {8, 20}, RuntimeError("no kernel\nimage"))
        with pytest.raises(
            LagerError, match=r"2 of 11 shards could not be read \(2, 5\): shard 2: RuntimeError: no ker"
        ):
            run(*inputs, path, max_failures=2, device="cpu")
    now = run_status(path)
    assert (now.shards_done, [failure.shard for failure in now.failed]) == (9, [2, 5])
    assert main_code(["cache", "status", str(path)]) == 0
    assert "shard 5 failed: RuntimeError: no kernel" in capsys.readouterr().out
    assert run(*inputs, path, device="cpu").content_hash == alone.content_hash
    assert not (path / WORKERS).exists()


def test_one_failure_too_many_ends_the_run_and_without_any_allowed_the_first_does(inputs, tmp_path, monkeypatch):
    fail_at(monkeypatch, {8, 20}, RuntimeError("no kernel image"))
    with pytest.raises(LagerError, match="2 shards failed, more than --max-failures 1"):
        run(*inputs, tmp_path / "one", max_failures=1, device="cpu")
    with pytest.raises(RuntimeError, match="no kernel image"):
        run(*inputs, tmp_path / "none", device="cpu")


def test_two_plain_runs_of_one_command_share_the_work(inputs, alone, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(run, *inputs, tmp_path / "cache", device="cpu") for _ in range(2)]
    assert [one.result().content_hash for one in both] == [alone.content_hash] * 2


def main_code(arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return stopped.value.code or 0


def test_as_one_of_several_workers_the_command_says_which_and_does_what_is_left(
    inputs, alone, tmp_path, monkeypatch, capsys
):
    command = ["extract", *map(str, inputs), "--cache", str(tmp_path / "cache"), "--shard-size", "4"]
    command += ["--device", "cpu", "--json"]
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert main_code(command) == 0
    captured = capsys.readouterr()
    assert "worker 1 of 3 (from RANK and WORLD_SIZE)" in captured.err
    assert json.loads(captured.out)["content_hash"] == alone.content_hash
    assert (tmp_path / "cache" / MANIFEST).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "slurm"], "--engine slurm: expected one of local, ray"),
        (["--rank", "0"], "--rank is set and --world-size is not"),
        (["--rank", "0", "--world-size", "2", "--workers", "2"], "leave out --engine and --workers"),
    ],
)
def test_what_cannot_be_is_refused_before_a_model_is_loaded(inputs, tmp_path, capsys, options, message):
    assert main_code(["extract", "no-such-model", str(inputs[1]), "--cache", str(tmp_path / "cache"), *options]) == 1
    assert message in capsys.readouterr().err


def test_what_is_in_memory_cannot_go_to_other_workers(inputs, tmp_path):
    with pytest.raises(LagerError, match="not model in memory"):
        run(load_judge(inputs[0], LoadOptions(device="cpu")), inputs[1], tmp_path / "cache", workers=2)


def test_ray_that_is_not_installed_or_does_not_answer_is_one_line(inputs, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ray", None)
        with pytest.raises(LagerError, match=r"pip install 'lager\[ray\]'"):
            run(*inputs, tmp_path / "cache", engine="ray")
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(LagerError, match=r"no cluster answers at RAY_ADDRESS=127\.0\.0\.1:1"):
        run(*inputs, tmp_path / "cache", engine="ray")
