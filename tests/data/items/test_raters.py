"""Names and places of raters stay with their scores in every form of input, and from the file to the cache."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.data import open_items as opening
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.items import survey
from lager.data.items.lazy_items import LazyItems
from lager.data.items.raters import RATED_BY, RATED_BY_TYPE, count_names, parse_raters, rater_scores
from lager.data.items.score_files import read_human_scores
from lager.data.open_items import load_items, open_items
from lager.data.remote.push import push
from lager.data.run.cache_writer import CacheWriter
from lager.data.scale import Scale
from lager.data.tools.export import export_cache
from lager.data.tools.merge import merge_caches
from lager.data.tools.verify import verify_cache
from support.caches import identity, make_cache, make_items, make_shard, write

NAN = np.nan
SCALE = Scale.parse("1-5")
NAMES = ("anna", "ben", "chloe")
#: Four items by three raters; of the second item ben gave no score, and of the last nobody did.
TABLE = [[1, 2, 3], [4, None, 5], [None, None, 2], [None, None, None]]
EXPECTED = np.array(TABLE, dtype=float)
WIDE = [{"id": f"i{n}", "response": f"text {n}", **dict(zip(NAMES, row, strict=True))} for n, row in enumerate(TABLE)]
LISTS = [{"id": f"i{n}", "response": f"text {n}", "score": row} for n, row in enumerate(TABLE)]
LONG = [
    {"id": f"i{n}", "rater": name, "score": score}
    for n, row in enumerate(TABLE)
    for name, score in zip(NAMES, row, strict=True)
]


def write_rows(path, rows):
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif path.suffix == ".csv":
        cells = [{name: json.dumps(one) if isinstance(one, list) else one for name, one in row.items()} for row in rows]
        pl.DataFrame(cells).write_csv(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_wide_columns_keep_their_raters_and_reach_no_prompt(tmp_path, suffix):
    items = load_items(write_rows(tmp_path / f"items{suffix}", WIDE), raters=NAMES)
    found = rater_scores(items.table)
    assert (found.names, found.named, found.unknown) == (NAMES, True, 0)
    np.testing.assert_array_equal(found.scores, EXPECTED)
    assert items.table["scores"].to_list() == [[1, 2, 3], [4, 5], [2], []]
    assert [set(fields) for fields in items.fields] == [{"response"}] * 4


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_blank_in_a_list_moves_nobody_into_another_place(tmp_path, suffix):
    found = rater_scores(load_items(write_rows(tmp_path / f"items{suffix}", LISTS)).table)
    assert (found.names, found.named) == (("#1", "#2", "#3"), False)
    np.testing.assert_array_equal(found.scores, EXPECTED)


def test_lists_without_a_blank_say_nothing_of_raters_and_are_stored_as_ever(tmp_path):
    table = load_items(write_rows(tmp_path / "items.jsonl", LISTS[:1])).table
    assert RATED_BY not in table.columns
    found = rater_scores(table)
    assert (found.names, found.named, found.scores.tolist()) == (("#1", "#2", "#3"), False, [[1, 2, 3]])


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize(("rows", "raters"), [(WIDE, NAMES), (LISTS, ())])
def test_a_large_file_gives_the_raters_of_a_small_one(tmp_path, monkeypatch, suffix, rows, raters):
    path = write_rows(tmp_path / f"items{suffix}", rows)
    whole = load_items(path, raters=raters)
    for name in ("EAGER_BYTES", "EAGER_PARQUET_BYTES"):
        monkeypatch.setattr(opening, name, 0)
    monkeypatch.setattr(survey, "_ROW_BLOCK", 1)
    lazy = open_items(path, raters=raters)
    assert isinstance(lazy, LazyItems)
    parts = [lazy.part(range(n, n + 1)) for n in range(4)]
    assert pl.concat([part.table for part in parts]).equals(whole.table)
    assert lazy.take([3, 0]).part(range(2)).table.equals(whole.table[[3, 0]])


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize(("rows", "raters"), [(WIDE, NAMES), (LONG, ()), (LONG[::-1], ())])
def test_files_of_scores_are_wide_or_long(tmp_path, suffix, rows, raters):
    table = read_human_scores(write_rows(tmp_path / f"scores{suffix}", rows), SCALE, raters=raters)
    found = rater_scores(table)
    order = np.argsort(table["item_id"].to_list())
    np.testing.assert_array_equal(found.scores[order][:, [found.names.index(name) for name in NAMES]], EXPECTED)
    assert found.named
    assert not {"rater", *NAMES} & set(table.columns)


def test_rows_of_an_item_in_a_long_file_may_say_more_of_it_and_must_agree(tmp_path):
    rows = [{**row, "group": "x" if row["rater"] != "ben" else None} for row in LONG]
    assert read_human_scores(write_rows(tmp_path / "a.jsonl", rows), SCALE)["group"].to_list() == ["x"] * 4
    rows[-1]["group"] = "y"
    with pytest.raises(LagerError, match="row 12: group of 'i3' is 'y', and 'x' in a row before"):
        read_human_scores(write_rows(tmp_path / "b.jsonl", rows), SCALE)


@pytest.mark.parametrize(
    ("rows", "raters", "message"),
    [
        ([*LONG, LONG[0]], (), "row 13: rater 'anna' scores item 'i0' again"),
        ([{**LONG[0], "rater": None}], (), "row 1: it has no rater"),
        ([{**LONG[0], "rater": "#2"}], (), "how places are called"),
        ([{**LONG[0], "score": [1, 2]}], (), "row 1: score holds 2 scores, expected one"),
        (WIDE, ("anna", "dora"), "no column 'dora', which --raters names"),
        (WIDE, ("anna", "anna"), "'anna' more than once"),
        ([{**WIDE[0], "score": 3}], NAMES, "a column 'score' beside those of --raters"),
        ([{**WIDE[0], "ben": [1, 2]}], NAMES, "row 1: ben holds 2 scores"),
        ([{**WIDE[0], "ben": 9}], NAMES, "1 of 3 values of 'anna, ben, chloe' lie outside the scale 1-5"),
        ([{"id": "i0", "score": ["x", None]}], (), "score is 'x', expected a finite number"),
    ],
)
def test_scores_that_nobody_can_be_told_from_are_refused(tmp_path, rows, raters, message):
    with pytest.raises(LagerError, match=message):
        read_human_scores(write_rows(tmp_path / "scores.jsonl", rows), SCALE, raters=raters)


def test_a_column_is_a_rater_or_something_else_of_the_items(tmp_path):
    path = write_rows(tmp_path / "items.jsonl", WIDE)
    with pytest.raises(LagerError, match="--raters ben: the column is something else"):
        load_items(path, raters=NAMES, cluster="ben")
    with pytest.raises(LagerError, match="--raters"):
        load_items(f"benchmark:summeval={path}", raters=NAMES)
    for text in ("anna,,ben", ","):
        with pytest.raises(LagerError, match="with commas between"):
            parse_raters(text, scores=path)
    with pytest.raises(LagerError, match="give the file too"):
        parse_raters("anna", scores=None)


def named_cache(path, rows=range(40), *, names=NAMES):
    """A cache of some items, whose second one was not scored by ben."""
    items = make_items(40)
    scores = [one[:1] + one[2:] if n == 1 else one for n, one in enumerate(items.table["scores"].to_list())]
    table = items.table.with_columns(pl.Series("scores", scores))
    if names:
        by = [["anna", "chloe"] if n == 1 else list(names) for n in range(40)]
        table = table.with_columns(pl.Series(RATED_BY, by, dtype=RATED_BY_TYPE))
    some = replace(items, table=table).take(rows)
    writer = CacheWriter.start(path, identity=identity(), item_id=some.item_id, shard_size=16)
    for k in range(writer.n_shards):
        write(writer, k, make_shard(some), some)
    return writer.finalize()


def test_a_cache_keeps_the_names_and_its_hashes_are_those_without(tmp_path):
    cache = named_cache(tmp_path / "named")
    assert cache.raters.names == NAMES
    assert np.isnan(cache.raters.scores[1]).tolist() == [False, True, False]
    assert verify_cache(cache.path) == []
    assert named_cache(tmp_path / "plain", names=()).content_hash == cache.content_hash
    exported = pl.read_parquet(export_cache(cache, out=tmp_path / "out", file_format="numpy") / "items.parquet")
    assert exported[RATED_BY].to_list() == cache.items[RATED_BY].to_list()


def test_names_leave_home_with_the_scores_only(tmp_path):
    cache = named_cache(tmp_path / "c")
    push(cache.path, tmp_path / "derived", shown=False)
    assert RATED_BY not in FeatureCache.open(tmp_path / "derived").items.columns
    assert not any(b"chloe" in path.read_bytes() for path in (tmp_path / "derived").rglob("*") if path.is_file())
    push(cache.path, tmp_path / "shared", include=["scores"], shown=False)
    assert FeatureCache.open(tmp_path / "shared").raters.names == NAMES


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_merge_knows_the_raters_of_those_caches_that_name_them(tmp_path, order):
    named_cache(tmp_path / "a", range(20))
    named_cache(tmp_path / "b", range(20, 40), names=())
    merged = merge_caches([tmp_path / name for name in order], out=tmp_path / "all").cache
    assert (merged.raters.names, merged.raters.unknown) == (NAMES, 20)
    assert verify_cache(merged.path) == []


def test_scores_from_a_file_bring_their_raters(tmp_path):
    cache = make_cache(tmp_path / "c")
    rows = [{**row, "id": f"item{row['id'][1:]}"} for row in LONG]
    scored = cache.with_scores(write_rows(tmp_path / "scores.csv", rows))
    np.testing.assert_array_equal(scored.raters.scores[:4], EXPECTED)
    assert scored.raters.names == NAMES
    assert scored.items["scores"].to_list()[3:] == [[]] * 37
    assert scored.items.columns == [*cache.items.columns, RATED_BY]
    again = scored.with_scores(write_rows(tmp_path / "s.jsonl", [{"id": "item1", "score": [2, 3]}]))
    assert again.items.equals(make_cache(tmp_path / "d").with_scores(tmp_path / "s.jsonl").items)


@pytest.mark.parametrize("by", [["anna"], ["anna", "anna", "ben"], ["anna", None, "ben"]])
def test_names_that_are_not_one_for_each_score_are_refused(tmp_path, by):
    cache = named_cache(tmp_path / "c")
    table = cache.items.with_columns(pl.Series(RATED_BY, [by] * 40, dtype=RATED_BY_TYPE))
    table.write_parquet(cache.path / "items.parquet")
    with pytest.raises(LagerError, match=r"one for one|twice|without a name"):
        FeatureCache.open(cache.path, verify=False)


def test_names_are_counted_without_their_table(tmp_path):
    assert count_names(named_cache(tmp_path / "c").items) == 3
    assert count_names(make_items(3).table) is None
    for rows in (LISTS, LISTS[:1]):
        assert count_names(load_items(write_rows(tmp_path / f"{len(rows)}.jsonl", rows)).table) is None
