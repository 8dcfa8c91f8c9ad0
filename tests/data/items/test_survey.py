"""Looking through a large file finds what reading it row by row finds, whatever the types of its columns."""

import json

import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.data.items import survey
from lager.data.items.items import RowForm
from lager.data.items.large_files import open_rows
from lager.data.items.survey import survey_items
from lager.data.open_items import load_items
from polars import List

N = 350
PLAIN = {"id": [f"q{i}" for i in range(N)], "prompt": ["say this"] * N, "score": [float(1 + i % 5) for i in range(N)]}
MESSAGE = {"role": "user", "content": "say this"}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(survey, "_ROW_BLOCK", 64)
    monkeypatch.setattr(survey, "_MOST_ROWS", 100)


@pytest.fixture
def rows_read(monkeypatch):
    """Counts the rows that are read one by one."""
    seen = []
    original = RowForm.columns

    def items(self, rows, *, start=0):
        seen.extend(rows)
        return original(self, rows, start=start)

    monkeypatch.setattr(RowForm, "columns", items)
    return seen


def surveyed(tmp_path, columns, schema=None, suffix=".parquet"):
    path = tmp_path / f"items{suffix}"
    table = pl.DataFrame(columns, schema_overrides=schema, strict=False)
    table.write_parquet(path) if suffix == ".parquet" else path.write_text(
        "".join(json.dumps(row) + "\n" for row in table.to_dicts())
    )
    file = open_rows(path)
    return path, lambda: survey_items(file, RowForm.of(file.columns, (), None, path=path))


WAYS = {
    "plain": ({}, None),
    "no scores": ({"score": [None] * N}, {"score": pl.Float64}),
    "some scores": ({"score": [None if i % 3 else 2.5 for i in range(N)]}, None),
    "whole scores": ({"score": [1 + i % 9 for i in range(N)]}, {"score": pl.Int8}),
    "several annotators": ({"score": [[1.0 + i % 3, 5.0] if i % 4 else None for i in range(N)]}, None),
    "no annotators": ({"score": [[] for _ in range(N)]}, {"score": List(pl.Float64)}),
    "numbers as ids": ({"id": range(N)}, {"id": pl.UInt32}),
    "unusual letters": ({"id": [f'é"\\{i}\n' for i in range(N)]}, None),
    "messages": ({"messages": [[MESSAGE] * (1 + i % 3) for i in range(N)]}, None),
    "fields": ({"instruction": ["x"] * N, "prompt": None}, None),
}


@pytest.mark.parametrize("way", WAYS)
def test_plain_columns_are_not_read_row_by_row_and_give_the_same(tmp_path, rows_read, way):
    changes, schema = WAYS[way]
    columns = {name: values for name, values in (PLAIN | changes).items() if values is not None}
    if "messages" in columns:
        del columns["prompt"]
    path, look = surveyed(tmp_path, columns, schema)
    found = look()
    assert not rows_read
    items = load_items(path)
    assert found.ids == items.ids
    scores = items.table["scores"].explode().drop_nulls()
    assert (found.lowest, found.highest) == (
        (scores.min(), scores.max()) if len(scores) else (float("inf"), float("-inf"))
    )


ODD = {
    "scores as text": ({"score": ["3"] * N}, None),
    "categories as ids": ({"id": [f"c{i}" for i in range(N)]}, {"id": pl.Categorical}),
    "a file of lines": ({}, None),
}


@pytest.mark.parametrize("way", ODD)
def test_columns_of_other_types_are_read_row_by_row(tmp_path, rows_read, way):
    changes, schema = ODD[way]
    path, look = surveyed(tmp_path, PLAIN | changes, schema, ".jsonl" if way == "a file of lines" else ".parquet")
    assert look().ids == load_items(path).ids
    assert len(rows_read) == 2 * N


def with_fault(name, value, *, at=301):
    return {name: [value if i == at else one for i, one in enumerate(PLAIN[name])]}


FAULTS = {
    "an empty id": (with_fault("id", ""), None),
    "no id": (with_fault("id", None), None),
    "an id that repeats": (with_fault("id", "q7"), None),
    "an empty prompt": (with_fault("prompt", ""), None),
    "no prompt": (with_fault("prompt", None), None),
    "a score that is no number": (with_fault("score", float("nan")), None),
    "an annotator with an infinite score": (
        {"score": [[1.0, float("inf") if i == 301 else 2.0] for i in range(N)]},
        None,
    ),
    "a score of another type": ({"score": [3] * N}, {"score": pl.Decimal(10, 2)}),
    "no messages": ({"messages": [[MESSAGE] * (i != 301) for i in range(N)]}, None),
    "a message without a role": (
        {"messages": [[MESSAGE if i != 301 else {"role": None, "content": "x"}] for i in range(N)]},
        None,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_the_words_of_reading_row_by_row(tmp_path, fault):
    changes, schema = FAULTS[fault]
    columns = PLAIN | changes
    if "messages" in columns:
        del columns["prompt"]
    path, look = surveyed(tmp_path, columns, schema)
    messages = []
    for read in (look, lambda: load_items(path)):
        with pytest.raises(LagerError) as error:
            read()
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_ids_may_be_missing_and_equal_hashes_are_no_repeated_ids(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "_digests", lambda ids: ids.str.len_bytes().cast(pl.UInt64).to_numpy())
    path, look = surveyed(tmp_path, {name: PLAIN[name] for name in ("prompt", "score")})
    assert look().ids == load_items(path).ids


def test_rows_with_long_texts_are_looked_at_in_smaller_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "_BLOCK_BYTES", 4000)
    rng_texts = [" ".join(f"{hash((i, j)) & 0xFFFFFF:06x}" for j in range(200)) for i in range(N)]
    path, look = surveyed(tmp_path, PLAIN | {"prompt": rng_texts})
    sizes = []
    original = survey._plain

    def plain(table, form, rows):
        sizes.append(len(rows))
        return original(table, form, rows)

    monkeypatch.setattr(survey, "_plain", plain)
    assert look().ids == load_items(path).ids
    assert max(sizes) < 20
