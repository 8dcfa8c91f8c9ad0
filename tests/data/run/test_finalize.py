"""Finalising: from the folder alone, at any time, as often as one likes."""

import hashlib
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.cli import main
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.manifest import content_hash, items_hash
from lager.data.cache.shards import read_attributes, read_shard, write_shard
from lager.data.cache.sorted_digests import SortedDigests
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from lager.data.run.finalize import finalize_cache, listed
from lager.data.tools.verify import verify_cache
from support.caches import identity, make_cache, make_items, make_shard, write

ITEMS = make_items(40)
SHARD = make_shard(ITEMS, invalid=frozenset({7}))


@pytest.fixture
def unfinished(tmp_path):
    """A folder with all shards and no manifest."""
    writer = CacheWriter.start(tmp_path / "c", identity=identity(), item_id=ITEMS.item_id, shard_size=16)
    for k in range(writer.n_shards):
        write(writer, k, SHARD, ITEMS)
    return tmp_path / "c"


def test_run_record_and_shards_are_all_that_finalising_needs(unfinished, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(unfinished, elsewhere)
    done = finalize_cache(elsewhere)
    cache = FeatureCache.open(elsewhere)
    assert cache.content_hash == make_cache(tmp_path / "whole", invalid=frozenset({7})).content_hash
    assert cache.items.equals(ITEMS.table)
    assert done[:3] == (40, 39, {"too long": 1})
    assert done.score_mass == pytest.approx(np.median(cache.score_mass[cache.valid]))
    assert verify_cache(elsewhere) == []


def test_finalising_again_changes_no_byte(unfinished):
    finalize_cache(unfinished)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in unfinished.rglob("*.*")}
    finalize_cache(unfinished)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in unfinished.rglob("*.*")} == before
    (unfinished / "items.parquet").unlink()
    (unfinished / "manifest.json").unlink()
    finalize_cache(unfinished)
    assert {path: path.read_bytes() for path in unfinished.rglob("*.*")} == {p: b for p, (b, _) in before.items()}


def test_several_processes_write_the_same_and_name_the_damaged_shard(unfinished, tmp_path):
    several = tmp_path / "several"
    shutil.copytree(unfinished, several)
    assert finalize_cache(several, jobs=2) == finalize_cache(unfinished)
    for name in ("manifest.json", "items.parquet"):
        assert (several / name).read_bytes() == (unfinished / name).read_bytes()
    path = several / "shards" / "00001.h5"
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(LagerError, match=r"00001\.h5"):
        finalize_cache(several, jobs=2)


def test_missing_shards_are_counted_and_named_and_nothing_is_written(unfinished, capsys):
    for name in ("00000.h5", "00002.h5"):
        (unfinished / "shards" / name).unlink()
    with pytest.raises(SystemExit, match="1"):
        main(["cache", "finalize", str(unfinished)])
    assert "2 of 3 shards are missing (0, 2)" in capsys.readouterr().err
    assert not (unfinished / "manifest.json").exists()
    assert not (unfinished / "items.parquet").exists()


def test_the_command_says_what_is_complete(unfinished, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["cache", "finalize", str(unfinished)])
    out = capsys.readouterr().out
    assert "is complete: 40 items, 39 valid" in out
    assert "not valid: 1, too long" in out


def test_long_lists_of_shards_are_cut():
    assert listed([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert listed(range(0, 100, 2)).endswith("36, 38, ...")


@pytest.mark.parametrize("text", [b"item17", b"criterion1"])
def test_a_shard_with_a_flipped_bit_is_named(unfinished, text):
    path = unfinished / "shards" / "00001.h5"
    data = bytearray(path.read_bytes())
    data[data.index(text)] ^= 1
    path.write_bytes(data)
    with pytest.raises(LagerError, match=r"00001\.h5 is damaged"):
        finalize_cache(unfinished)
    assert not (unfinished / "manifest.json").exists()


def test_shards_of_another_run_or_order_are_refused(unfinished, tmp_path):
    make_cache(tmp_path / "other", template="another")
    shutil.copy(tmp_path / "other" / "shards" / "00000.h5", tmp_path / "c" / "shards" / "00000.h5")
    with pytest.raises(LagerError, match="another fingerprint"):
        finalize_cache(unfinished)
    shutil.copy(unfinished / "shards" / "00001.h5", unfinished / "shards" / "00000.h5")
    with pytest.raises(LagerError, match="other items than the input"):
        finalize_cache(unfinished)


def test_a_folder_without_a_run_record_is_told(tmp_path):
    with pytest.raises(LagerError, match=r"no run\.json"):
        finalize_cache(tmp_path)


def test_new_labels_go_to_the_shards_and_leave_their_readouts(unfinished):
    before = finalize_cache(unfinished)
    table = ITEMS.table.with_columns(pl.lit("one").alias("group"))
    writer = CacheWriter.start(unfinished, identity=identity(), item_id=ITEMS.item_id)
    for k in range(writer.n_shards):
        rows = writer.rows(k)
        writer.relabel(k, writer.read_sound(k), items=table[rows.start : rows.stop])
    assert not (unfinished / "manifest.json").exists()
    after = finalize_cache(unfinished)
    assert after.content_hash == before.content_hash
    assert FeatureCache.open(unfinished).items.equals(table)


def test_the_same_labels_leave_a_shard_alone(unfinished):
    finalize_cache(unfinished)
    writer = CacheWriter.start(unfinished, identity=identity(), item_id=ITEMS.item_id)
    before = (unfinished / "shards" / "00000.h5").read_bytes()
    writer.relabel(0, writer.read_sound(0), items=ITEMS.table[:16])
    assert (unfinished / "shards" / "00000.h5").read_bytes() == before
    assert (unfinished / "manifest.json").exists()


def test_shards_without_item_rows_keep_the_item_table_that_is_there(unfinished):
    before = finalize_cache(unfinished)
    for path in (unfinished / "shards").iterdir():
        attributes, data = read_attributes(path), read_shard(path)
        path.unlink()
        write_shard(
            path, replace(data, optional={}), attributes={k: attributes[k] for k in attributes if "text" not in k}
        )
    (unfinished / "manifest.json").unlink()
    assert finalize_cache(unfinished) == before
    ITEMS.table[::-1].write_parquet(unfinished / "items.parquet")
    with pytest.raises(LagerError, match="names other items"):
        finalize_cache(unfinished)
    (unfinished / "items.parquet").unlink()
    with pytest.raises(LagerError, match="carry no item rows"):
        finalize_cache(unfinished)


@pytest.mark.parametrize("run_rows", [7, 1000])
def test_hashes_in_bounded_memory_equal_those_of_all_rows_at_once(tmp_path, run_rows):
    names = ["z", "é", "\U0001f600", "\ufffd", "", *(f"i{n}" for n in range(60))]
    prompts, digests = ([hashlib.sha256(f"{what}{name}".encode()).digest() for name in names] for what in "pd")
    with SortedDigests(tmp_path, run_rows=run_rows) as rows:
        for start in range(0, len(names), 3):
            some = slice(start, start + 3)
            rows.add(names[some], prompts[some], digests[some])
        assert rows.hashes() == (items_hash(names, prompts), content_hash(names, digests))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("run_rows", [2, 1000])
def test_an_id_that_two_shards_have_is_refused(tmp_path, run_rows):
    with SortedDigests(tmp_path, run_rows=run_rows) as rows:
        for name in ("a", "b", "c", "a"):
            rows.add([name], [bytes(32)], [bytes(32)])
        with pytest.raises(LagerError, match="two rows have the id 'a'"):
            rows.hashes()
