"""Items that are dropped from a cache are nowhere afterwards: not in its files, not in copies of this machine."""

import json
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shard_rows import take_rows
from lager.data.errors import LagerError
from lager.data.remote.push import push
from lager.data.remote.removal import remove_cache
from lager.data.run.cache_writer import CacheWriter
from lager.data.run.set_aside import EARLIER, EarlierRows
from lager.data.tools.drop import drop_items
from lager.data.tools.verify import verify_cache
from support.caches import identity, make_items, make_shard, write
from support.commands import run_command
from support.web_server import web_server

ITEMS = make_items(20)
SHARD = make_shard(ITEMS, invalid=frozenset({3}))


def secret(i):
    """The text of an item, and what the judge wrote of it."""
    return f"word{i}of{i}"


def make(path, rows=range(20), **options):
    """A cache with texts, in shards of six rows."""
    kept = [f"item{i}" for i in rows]
    texts = pl.Series("text", [secret(i) for i in range(20)])
    items = replace(ITEMS, table=ITEMS.table.with_columns(texts))
    shard = replace(SHARD, optional={"generated": [f"I say {secret(i)}" for i in range(20)]})
    writer = CacheWriter.start(
        path, **{"identity": identity(), "item_id": kept, "shard_size": 6, "options": {"seed": 42}, **options}
    )
    for k in range(writer.n_shards):
        cost = {"run": "monday", "device_seconds": 2.0}
        write(writer, k, take_rows(shard, list(rows)), items.take(list(rows)), cost=cost)
    return writer.finalize()


def holds(folder, text):
    """Whether a file below a folder has a text, packed columns of Parquet and HDF5 included."""
    for path in folder.rglob("*"):
        if path.is_file() and text.encode() in path.read_bytes():
            return True
        if path.suffix == ".parquet" and text in str(pl.read_parquet(path).to_dicts()):
            return True
    return False


def test_no_file_holds_anything_of_what_was_dropped(tmp_path):
    before = make(tmp_path / "c")
    logits, items = before.logits, before.items
    (tmp_path / "c" / "notes.md").write_text("my notes")
    assert holds(tmp_path, secret(7))
    done = drop_items(tmp_path / "c", ids={"item7", "item12"}, clusters={"text3"})
    gone = [7, 12, 3, 9, 15]
    left = [i for i in range(20) if i not in gone]
    assert (done.n_items, done.cache.n_items, done.kept_files) == (5, 15, ["notes.md"])
    for i in gone:
        assert not holds(tmp_path, secret(i))
        assert not holds(tmp_path, f'"item{i}"')
    assert (tmp_path / "c" / "notes.md").read_text() == "my notes"
    assert verify_cache(tmp_path / "c") == []
    np.testing.assert_array_equal(done.cache.logits, logits[left])
    assert done.cache.items.equals(items[left])
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    (note,) = manifest["provenance"]["dropped"]
    assert set(note) == {"items", "at"}
    assert note["items"] == 5
    (run,) = manifest["provenance"]["runs"]
    assert run["device_seconds"] == 8
    # The same items, read at once, are the same cache.
    assert done.cache.content_hash == make(tmp_path / "fresh", left).content_hash


def test_rows_of_an_earlier_item_list_go_as_well(tmp_path):
    make(tmp_path / "c", range(14))
    (tmp_path / "c" / EARLIER).mkdir()
    make(tmp_path / "other", range(12, 20))
    for name in ("00000", "00001"):
        shutil.copy(tmp_path / f"other/shards/{name}.h5", tmp_path / "c" / EARLIER / f"{name}-0a.h5")
    shutil.rmtree(tmp_path / "other")
    done = drop_items(tmp_path / "c", ids={"item16"}, clusters={"text1"})
    assert (done.n_items, done.n_earlier) == (3, 3)
    for i in (1, 7, 13, 16, 19):
        assert not holds(tmp_path, secret(i))
    assert holds(tmp_path / "c" / EARLIER, secret(15))
    rest = EarlierRows(tmp_path / "c", fingerprint=done.cache.fingerprint, datasets={"generated"})
    assert rest.take([f"item{i}" for i in range(20)], SHARD.prompt_sha256).rows.tolist() == [12, 14, 15, 17, 18]


def test_copies_of_the_store_go_and_shared_ones_are_named_and_rewritten(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LAGER_HOME", str(tmp_path / "home"))
    make(tmp_path / "c")
    shared = tmp_path / "shared"
    push(tmp_path / "c", shared, include=["text"], shown=False)
    with web_server(tmp_path) as server:
        url = f"{server.url}/shared"
        assert FeatureCache.open(url).n_items == 20
        assert holds(tmp_path / "home", secret(4))
        _, said, _ = run_command(capsys, "cache", "drop", tmp_path / "c", "--id", "item4")
        assert "dropped 1 items, 19 are left" in said
        assert f"still shared with them at {url}" in said
        assert not holds(tmp_path / "home", secret(4))
        (tmp_path / "ids.csv").write_text("id\nitem5\nitem6\n")
        command = ("cache", "drop", tmp_path / "c", "--ids", tmp_path / "ids.csv", "--remote", shared, "--json")
        said = json.loads(run_command(capsys, *command)[1])
        assert (said["items"], said["left"]) == (2, 17)
        assert [one["url"] for one in said["rewritten"]] == [str(shared)]
        assert not holds(shared, secret(4))
        assert not holds(shared, secret(5))
        again = FeatureCache.open(url)
    assert again.n_items == 17
    assert "text" in again.items.columns


def test_what_cannot_be_dropped_changes_nothing(tmp_path):
    made = make(tmp_path / "c")
    for options, message in (
        ({"ids": {"item7", "item77"}}, "holds no item or cluster 'item77': nothing was dropped"),
        ({"clusters": {"text9"}}, "holds no item or cluster 'text9'"),
        ({}, "neither ids nor clusters"),
        ({"ids": {f"item{i}" for i in range(20)}}, "all of its 20 items would go"),
    ):
        with pytest.raises(LagerError, match=message):
            drop_items(tmp_path / "c", **options)
    push(tmp_path / "c", tmp_path / "copy", shown=False)
    with pytest.raises(LagerError, match="is a copy of another one"):
        drop_items(tmp_path / "copy", ids={"item7"})
    assert FeatureCache.open(tmp_path / "c").content_hash == made.content_hash


def test_a_call_that_was_interrupted_is_ended_by_the_next(tmp_path, monkeypatch):
    make(tmp_path / "c")
    (tmp_path / "c" / "notes.md").write_text("my notes")
    monkeypatch.setattr("lager.data.tools.drop._end_swap", lambda folder: [])
    with pytest.raises(LagerError):  # as if it ended after the old folder was renamed
        drop_items(tmp_path / "c", ids={"item7"})
    monkeypatch.undo()
    assert not (tmp_path / "c").exists()
    done = drop_items(tmp_path / "c", ids={"item8"})
    assert done.cache.n_items == 18
    assert (tmp_path / "c" / "notes.md").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    assert not holds(tmp_path, secret(7))


def test_a_private_cache_keeps_its_secret(tmp_path):
    made = make(tmp_path / "c", private=True)
    hashes = made.prompt_sha256
    salt = json.loads((tmp_path / "c" / "run.json").read_text())["salt"]
    done = drop_items(tmp_path / "c", ids={"item0"})
    assert json.loads((tmp_path / "c" / "run.json").read_text())["salt"] == salt
    np.testing.assert_array_equal(done.cache.prompt_sha256, hashes[1:])


def test_removing_a_shared_cache_takes_its_files_and_nothing_else(tmp_path):
    make(tmp_path / "c")
    push(tmp_path / "c", tmp_path / "shared", shown=False)
    (tmp_path / "shared" / "other.txt").write_text("kept")
    done = remove_cache(str(tmp_path / "shared"))
    assert (done.n_files, done.remains) == (5, "")
    assert [path.name for path in (tmp_path / "shared").rglob("*")] == ["other.txt"]
    with pytest.raises(LagerError, match="holds no complete cache"):
        remove_cache(str(tmp_path / "shared"))
    with pytest.raises(LagerError, match="a cache of its own"):
        remove_cache(str(tmp_path / "c"))
    assert FeatureCache.open(tmp_path / "c").n_items == 20
