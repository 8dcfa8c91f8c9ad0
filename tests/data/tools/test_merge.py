"""Caches are joined only where they say the same, and nothing in them is taken on trust."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shard_rows import join_rows, repacked, row_differences, take_rows
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from lager.data.tools.merge import merge_caches
from lager.data.tools.repair import repair_cache
from lager.data.tools.verify import verify_cache
from support.caches import identity, make_items, make_shard, write

ITEMS = make_items(40)
SHARD = make_shard(ITEMS, invalid=frozenset({7}))


def part(path, rows, *, items=ITEMS, shard=SHARD, texts=None, generated=False, cost=None, shard_size=8, **options):
    """A cache of some of the items."""
    some, data = items.take(rows), take_rows(shard, rows)
    if generated:
        data = replace(data, optional={"generated": [f"I say {i}" for i in rows]})
    writer = CacheWriter.start(
        path, **{"identity": identity(), "item_id": some.item_id, "shard_size": shard_size, **options}
    )
    if texts is not None:
        some = replace(some, table=some.table.with_columns(pl.Series("text", texts)))
    for k in range(writer.n_shards):
        write(writer, k, data, some, cost=cost)
    return writer.finalize()


def test_the_parts_of_a_cache_make_the_cache_that_was_extracted_at_once(tmp_path):
    part(tmp_path / "a", range(13), cost={"run": "monday", "device_seconds": 2})
    part(tmp_path / "b", range(13, 30), shard_size=5, cost={"run": "tuesday", "device_seconds": 3})
    part(tmp_path / "c", range(30, 40))
    made = merge_caches([tmp_path / name for name in "abc"], out=tmp_path / "all")
    whole = part(tmp_path / "whole", range(40))
    assert (made.n_common, made.cache.n_items) == (0, 40)
    assert (made.cache.content_hash, made.cache.items_hash) == (whole.content_hash, whole.items_hash)
    assert made.cache.items.equals(whole.items)
    assert [shard["rows"] for shard in made.cache.manifest["shards"]] == [8, 8, 8, 8, 8]
    np.testing.assert_array_equal(made.cache.logits, whole.logits)
    runs = made.cache.manifest["provenance"]["runs"]
    assert [(run["run"], run["shards"]) for run in runs] == [("monday", 2), ("tuesday", 4)]
    assert verify_cache(tmp_path / "all") == []


def test_a_cache_of_an_earlier_version_says_less_of_its_read_outs_and_is_joined(tmp_path):
    def of(**more):
        own = identity()
        return {**own, "readout_inputs": {**own["readout_inputs"], **more}}

    part(tmp_path / "a", range(13))
    part(tmp_path / "b", range(13, 40), identity=of(config={"rope_theta": 1e4}))
    assert merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all").cache.n_items == 40
    part(tmp_path / "c", range(13, 40), identity=of(config={"rope_theta": 2e4}))
    with pytest.raises(LagerError, match=r"\(config\.rope_theta differ\)"):
        merge_caches([tmp_path / "b", tmp_path / "c"], out=tmp_path / "none")


def test_an_item_of_several_caches_is_kept_once(tmp_path):
    part(tmp_path / "a", range(20))
    part(tmp_path / "b", [39, 3, 25, 19, 7])
    part(tmp_path / "c", range(18, 39))
    made = merge_caches([tmp_path / name for name in "abc"], out=tmp_path / "all")
    assert made.n_common == 3 + 3
    assert made.cache.content_hash == part(tmp_path / "whole", range(40)).content_hash
    assert verify_cache(tmp_path / "all") == []


def test_low_bits_may_differ_and_the_first_cache_is_kept(tmp_path):
    first = part(tmp_path / "a", range(20))
    part(tmp_path / "b", range(10, 30), shard=replace(SHARD, logits=SHARD.logits * np.float32(1 + 3e-6)))
    made = merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all")
    np.testing.assert_array_equal(made.cache.logits[:20], first.logits)
    with pytest.raises(LagerError, match=r"item 'item10' differs between caches .*: logits by 3.*e-06"):
        merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "exact", tolerance=0)


def changed(name, row):
    values = np.array(getattr(SHARD, name))
    values[row] = values[row] + 1
    return replace(SHARD, **{name: values})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("logits", "logits by "),
        ("prompt_sha256", "its prompt"),
        ("n_tokens", "n_tokens"),
        ("logsumexp", "logsumexp by"),
    ],
)
def test_an_item_that_differs_is_an_error_that_names_it_and_what_differs(tmp_path, name, told):
    part(tmp_path / "a", range(20))
    part(tmp_path / "b", range(10, 30), shard=changed(name, 17))
    with pytest.raises(LagerError, match=rf"item 'item17' differs between caches \S*a and \S*b: {told}"):
        merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all")
    assert not (tmp_path / "all" / "manifest.json").exists()


def test_a_row_that_is_valid_in_one_cache_only_differs(tmp_path):
    part(tmp_path / "a", range(20))
    part(tmp_path / "b", range(10), shard=make_shard(ITEMS))
    with pytest.raises(LagerError, match="item 'item7' differs"):
        merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all")


@pytest.mark.parametrize("column", ["scores", "cluster"])
def test_other_human_scores_or_columns_of_an_item_are_an_error(tmp_path, column):
    other = pl.Series([[1.0]] * 40) if column == "scores" else pl.Series(["elsewhere"] * 40)
    part(tmp_path / "a", range(20))
    part(tmp_path / "b", range(19, 30), items=replace(ITEMS, table=ITEMS.table.with_columns(other.alias(column))))
    with pytest.raises(LagerError, match=f"item 'item19' differs .*its {column}"):
        merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_caches_that_were_read_in_another_way_are_refused_by_the_field(tmp_path):
    part(tmp_path / "a", range(20))
    part(tmp_path / "b", range(20, 40), identity=identity(dtype="bfloat16"))
    with pytest.raises(LagerError, match=r"read in different ways \(dtype differ\)"):
        merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all")


def test_private_caches_are_joined_only_with_the_same_secret(tmp_path):
    part(tmp_path / "a", range(20), private=True, salt="ab" * 32)
    part(tmp_path / "b", range(10, 40), private=True, salt="ab" * 32)
    part(tmp_path / "c", range(10, 40), private=True)
    part(tmp_path / "d", range(10, 40))
    made = merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all")
    assert made.n_common == 10
    assert made.cache.manifest["private"]
    assert "ab" * 32 in (tmp_path / "all" / "run.json").read_text()
    with pytest.raises(LagerError, match="private with 2 secrets"):
        merge_caches([tmp_path / "a", tmp_path / "c"], out=tmp_path / "no")
    with pytest.raises(LagerError, match=r"is private and .* is not"):
        merge_caches([tmp_path / "a", tmp_path / "d"], out=tmp_path / "no")
    (tmp_path / "b" / "run.json").unlink()
    with pytest.raises(LagerError, match=r"is private and has no run\.json"):
        merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "no")


def test_a_damaged_cache_is_not_merged(tmp_path):
    part(tmp_path / "a", range(20))
    part(tmp_path / "b", range(20, 40))
    path = tmp_path / "b" / "shards" / "00001.h5"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LagerError, match=r"00001\.h5 changed"):
        merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all")


def test_an_interrupted_merge_goes_on_and_a_finished_cache_is_never_written_over(tmp_path):
    part(tmp_path / "a", range(20))
    part(tmp_path / "b", range(20, 40))
    merged = merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all").cache
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "all").glob("shards/*")}
    with pytest.raises(LagerError, match="exists already"):
        merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all")
    (tmp_path / "all" / "manifest.json").unlink()
    (tmp_path / "all" / "shards" / "00003.h5").unlink()
    again = merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all").cache
    assert again.content_hash == merged.content_hash
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "all").glob("shards/*")}
    assert {name for name in before if after[name] != before[name]} == {"00003.h5"}


def test_text_stays_with_the_items_that_have_it(tmp_path):
    part(tmp_path / "a", range(5), texts=["a text"] * 5, generated=True)
    part(tmp_path / "b", range(5, 9))
    made = merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all").cache
    assert made.items["text"].to_list() == ["a text"] * 5 + [None] * 4
    assert made.items["generated"].to_list()[:2] == ["I say 0", "I say 1"]


def test_a_merged_cache_is_repaired_like_any_other(tmp_path):
    part(tmp_path / "a", range(20), cost={"run": "monday"})
    part(tmp_path / "b", range(20, 40))
    made = merge_caches([tmp_path / "a", tmp_path / "b"], out=tmp_path / "all").cache
    before = (tmp_path / "all" / "manifest.json").read_text()
    repair = repair_cache(tmp_path / "all")
    assert (repair.complete, repair.aside) == (True, [])
    assert (tmp_path / "all" / "manifest.json").read_text() == before
    assert FeatureCache.open(tmp_path / "all").content_hash == made.content_hash


@pytest.mark.parametrize("size", [1, 3, 13, 40, 100])
def test_repacked_rows_are_the_same_rows(size):
    parts = [take_rows(SHARD, slice(start, start + 13)) for start in range(0, 40, 13)]
    packed = list(repacked(parts, size))
    assert [len(data) for data in packed[:-1]] == [size] * (len(packed) - 1)
    assert not any(far.any() for far in row_differences(join_rows(packed), SHARD).values())


def test_one_cache_is_not_merged_with_itself(tmp_path):
    part(tmp_path / "a", range(20))
    with pytest.raises(LagerError, match="at least two"):
        merge_caches([tmp_path / "a"], out=tmp_path / "all")
    with pytest.raises(LagerError, match="each of them named once"):
        merge_caches([tmp_path / "a", tmp_path / "a"], out=tmp_path / "all")
