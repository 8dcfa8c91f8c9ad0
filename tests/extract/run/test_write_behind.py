"""A shard is written while the next one is read; until then it is this worker's, and what goes wrong is its own."""

import threading

import pytest
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from lager.data.run.run_status import run_status
from lager.data.run.worker_records import CLAIMS, WORKERS
from lager.data.tools.verify import verify_cache
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from lager.extract.run.shard_reader import ShardReader
from lager.extract.run.write_behind import WriteBehind
from support.extraction import run, write_items
from support.tiny_models import save_judge

WAIT = 20


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return load_judge(save_judge(tmp_path_factory.mktemp("judge")), LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 20)  # five shards


def replace_write(monkeypatch, before):
    """Call something with the shard's number before each write."""
    original = CacheWriter.write

    def write(self, shard, data, **options):
        before(shard)
        original(self, shard, data, **options)

    monkeypatch.setattr(CacheWriter, "write", write)


def test_the_next_shard_is_read_while_one_is_written_and_its_claim_is_held_so_long(judge, items, tmp_path, monkeypatch):
    path, reads, claims = tmp_path / "cache", [], []
    second_read = threading.Event()
    original = ShardReader.read

    def read(self, item_id, plan, **options):
        data = original(self, item_id, plan, **options)
        reads.append(item_id[0])
        if len(reads) == 2:
            second_read.set()
        return data

    def before(shard):
        if not claims:
            assert second_read.wait(WAIT)  # would never come if reading waited for writing
            claims.extend(one.name for one in (path / WORKERS / CLAIMS).iterdir())
            assert f"{shard:05d}" in claims

    monkeypatch.setattr(ShardReader, "read", read)
    replace_write(monkeypatch, before)
    cache = run(judge, items, path)
    assert len(claims) == 2
    assert cache.n_items == 20
    assert verify_cache(path) == []


def test_a_shard_that_could_not_be_written_is_the_one_that_failed(judge, items, tmp_path, monkeypatch, capsys):
    path, order = tmp_path / "cache", []

    def before(shard):
        order.append(shard)
        if len(order) == 3:
            raise OSError("no space left")

    replace_write(monkeypatch, before)
    with pytest.raises(LagerError, match=r"1 of 5 shards could not be read .*: OSError: no space left"):
        run(judge, items, path, max_failures=1, quiet=False)
    assert f"shard {order[2]} failed and is left out for now: no space left" in capsys.readouterr().err
    status = run_status(path)
    assert (status.shards_done, [failure.shard for failure in status.failed]) == (4, [order[2]])
    assert sorted(order) == list(range(5))  # each was written once, the one behind the failed one too
    assert not list((path / WORKERS / CLAIMS).iterdir())
    assert run(judge, items, path).n_items == 20


def test_without_leave_to_fail_the_error_ends_the_run_and_what_was_read_before_is_kept(
    judge, items, tmp_path, monkeypatch
):
    order = []

    def before(shard):
        order.append(shard)
        if len(order) == 3:
            raise OSError("no space left")

    replace_write(monkeypatch, before)
    with pytest.raises(OSError, match="no space left"):
        run(judge, items, tmp_path / "cache")
    kept = {one.name for one in (tmp_path / "cache" / "shards").iterdir()}
    assert kept == {f"{shard:05d}.h5" for shard in order[:2]}


def test_an_interruption_waits_for_the_shard_that_is_being_written(judge, items, tmp_path, monkeypatch):
    path, interrupted = tmp_path / "cache", threading.Event()
    original, reads = ShardReader.read, []

    def read(self, item_id, plan, **options):
        reads.append(item_id)
        if len(reads) == 2:
            interrupted.set()
            raise KeyboardInterrupt
        return original(self, item_id, plan, **options)

    monkeypatch.setattr(ShardReader, "read", read)
    replace_write(monkeypatch, lambda shard: interrupted.wait(WAIT))
    with pytest.raises(KeyboardInterrupt):
        run(judge, items, path)
    assert len(list((path / "shards").iterdir())) == 1


def test_after_a_failure_nothing_more_is_written_until_somebody_was_told():
    done = []

    def fail():
        raise OSError("full")

    with WriteBehind() as behind:
        behind.submit(fail)
        with pytest.raises(OSError, match="full"):
            behind.submit(lambda: done.append(1))
        behind.submit(lambda: done.append(2))
    assert done == [2]


def test_a_failure_of_the_last_one_is_raised_at_the_end():
    def fail():
        raise OSError("full")

    with pytest.raises(OSError, match="full"), WriteBehind() as behind:
        behind.submit(fail)
