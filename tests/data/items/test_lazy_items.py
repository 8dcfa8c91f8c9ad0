"""Items of large files are those that reading the whole file gives, fault by fault."""

import json

import numpy as np
import polars as pl
import pytest
from lager.data import open_items as opening
from lager.data.errors import LagerError
from lager.data.items import lazy_items, survey
from lager.data.items.lazy_items import LazyItems, blocks
from lager.data.open_items import load_items, open_items
from lager.data.scale import Scale

N = 700
SCALE = Scale.parse("1-5")


def rows(n=N):
    return [
        {"id": f"q{i}", "prompt": f'say "{i}",\nplease {"é" * (i % 7)}', "score": [1 + i % 5, 3], "group": f"g{i % 2}",
         "cluster": i // 3}
        for i in range(n)
    ]  # fmt: skip


def write(path, table):
    if path.suffix == ".parquet":
        pl.DataFrame(table).write_parquet(path, row_group_size=100)
    elif path.suffix == ".csv":
        pl.DataFrame([{**row, "score": json.dumps(row["score"])} for row in table]).write_csv(path)
    else:
        path.write_text("\ufeff" + "\n\n".join(json.dumps(row, ensure_ascii=False) for row in table), "utf-8")
    return path


@pytest.fixture(autouse=True)
def all_files_are_large(monkeypatch):
    monkeypatch.setattr(opening, "EAGER_BYTES", 0)
    monkeypatch.setattr(opening, "EAGER_PARQUET_BYTES", 0)
    monkeypatch.setattr(lazy_items, "_BLOCK", 128)
    monkeypatch.setattr(survey, "_ROW_BLOCK", 128)
    monkeypatch.setattr(survey, "_MOST_ROWS", 100)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_large_file_gives_the_items_of_a_small_one(tmp_path, suffix):
    path = write(tmp_path / f"items{suffix}", rows())
    whole, lazy = load_items(path, group=["group", "cluster"]), open_items(path, group=["group", "cluster"])
    assert isinstance(lazy, LazyItems)
    assert (len(lazy), lazy.kind, lazy.source, lazy.ids) == (N, whole.kind, whole.source, whole.ids)
    for span in (range(64), range(63, 65), range(650, N), range(N - 1, N), range(5, 5)):
        part = lazy.part(span)
        assert part.item_id == whole.item_id[span.start : span.stop]
        assert part.fields == whole.fields[span.start : span.stop]
        assert part.table.equals(whole.table[span.start : span.stop])
    assert pl.concat([block.table for block in blocks(lazy, size=97)]).equals(whole.table)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_draw_and_a_mapping_of_scores_are_the_same(tmp_path, suffix):
    path = write(tmp_path / f"items{suffix}", rows())
    drawn = np.sort(np.random.default_rng(0).choice(N, 50, replace=False)).tolist()
    whole, lazy = (read(path).take(drawn).on_scale(SCALE, human_range=(0, 10)) for read in (load_items, open_items))
    assert len(lazy) == 50
    assert lazy.part(range(50)).table.equals(whole.table)
    assert lazy.part(range(20, 30)).fields == whole.fields[20:30]
    assert lazy.ids == whole.ids


FAULTS = {
    "id": {"id": "q3"},
    "score": {"score": ["nan"]},
    "prompt": {"prompt": ""},
    "number": {"id": 1.5},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_in_the_same_words(tmp_path, fault):
    path = write(tmp_path / "items.jsonl", [row | (FAULTS[fault] if i == 601 else {}) for i, row in enumerate(rows())])
    messages = []
    for read in (load_items, open_items):
        with pytest.raises(LagerError) as error:
            read(path)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_a_bad_line_is_named_by_its_number(tmp_path):
    path = write(tmp_path / "items.jsonl", rows(300))
    path.write_text(path.read_text("utf-8") + "\n{")
    with pytest.raises(LagerError, match="line 600: not valid JSON"):
        open_items(path)


@pytest.mark.parametrize("human_range", [None, (2, 9)])
def test_scores_off_the_scale_are_counted_over_the_whole_file(tmp_path, human_range):
    path = write(
        tmp_path / "items.jsonl", [row | ({"score": 11} if i in {1, 650} else {}) for i, row in enumerate(rows())]
    )
    messages = []
    for read in (load_items, open_items):
        with pytest.raises(LagerError) as error:
            read(path).on_scale(SCALE, human_range=human_range)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    kept = [row for row in range(N) if row not in {1, 650}]
    assert len(open_items(path).take(kept).on_scale(SCALE)) == N - 2


def test_equal_beginnings_of_hashes_are_no_repeated_ids(tmp_path, monkeypatch):
    path = write(tmp_path / "items.jsonl", rows())
    monkeypatch.setattr(survey, "_digests", lambda ids: ids.str.len_bytes().cast(pl.UInt64).to_numpy())
    assert len(open_items(path)) == N


def test_columns_that_come_late_and_columns_that_are_not_there(tmp_path):
    path = write(
        tmp_path / "items.jsonl", [*({"id": str(i), "text": "x"} for i in range(200)), {"id": "z", "more": "y"}]
    )
    assert open_items(path, group=["more"]).part(range(199, 201)).table["group"].to_list() == [None, "y"]
    with pytest.raises(LagerError, match="has no column 'other': it has id, text, more"):
        open_items(path, cluster="other")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_file_that_is_none_is_told(tmp_path, suffix):
    path = tmp_path / f"items{suffix}"
    path.write_bytes(b"\xff\x00\xfe" * 50)
    with pytest.raises(LagerError, match="items"):
        open_items(path)
