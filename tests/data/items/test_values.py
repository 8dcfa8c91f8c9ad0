"""Values reach prompts and labels as text, a finite number, or not at all; placeholders never become texts."""

import datetime
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lager.data import open_items as opening
from lager.data.errors import LagerError
from lager.data.items.score_files import read_human_scores
from lager.data.items.values import each_value, plain_value
from lager.data.open_items import open_items
from lager.train.solvers.folds import count_clusters

MISSING = [None, float("nan"), np.float64("nan"), np.float32("nan"), pd.NA, pd.NaT]
TEXT = {"type": "text", "text": "Rate "}


@pytest.fixture(params=["small", "large"], autouse=True)
def size(request, monkeypatch):
    if request.param == "large":
        monkeypatch.setattr(opening, "EAGER_BYTES", 0)
        monkeypatch.setattr(opening, "EAGER_PARQUET_BYTES", 0)


def write(tmp_path, rows, *, ending=".jsonl"):
    path = tmp_path / f"items{ending}"
    if ending == ".parquet":
        pl.DataFrame(rows, strict=False).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("value", MISSING)
def test_every_kind_of_nothing_is_missing(value):
    assert plain_value([value, "x"], what="x") == [None, "x"]


@pytest.mark.parametrize(
    ("value", "plain"), [(np.int64(3), 3), (np.str_("a"), "a"), (datetime.date(2024, 7, 26), "2024-07-26")]
)
def test_scalars_of_other_libraries_are_plain(value, plain):
    found = plain_value(value, what="x")
    assert (found, type(found)) == (plain, type(plain))


@pytest.mark.parametrize("value", [float("inf"), b"bytes", object(), np.array([1, 2]), [float("-inf")]])
def test_what_is_neither_text_nor_a_number_is_refused(value):
    with pytest.raises(LagerError, match="row 1: rubric is"):
        plain_value(value, what="row 1: rubric")


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_nan_is_no_field_no_group_and_no_cluster(tmp_path, ending):
    nan = float("nan")
    rows = [
        {"id": "a", "response": "x", "rubric": nan, "cluster": nan, "group": nan, "system": nan},
        {"id": "b", "response": "y", "rubric": 2.5, "cluster": 7.0, "group": 1.0, "system": 0.5},
        {"id": "c", "response": "z", "rubric": nan, "cluster": nan, "group": nan, "system": nan},
    ]
    items = open_items(write(tmp_path, rows, ending=ending)).part(range(3))
    assert items.table["cluster"].to_list() == [None, "7", None]
    assert items.table["group"].to_list() == [None, "1", None]
    assert items.table["system"].to_list() == [None, "0.5", None]
    assert items.fields[0] == {"response": "x"}
    assert items.fields[1]["rubric"] == 2.5


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("column", ["rubric", "cluster"])
def test_an_infinite_value_is_refused_with_its_row(tmp_path, ending, column):
    rows = [{"id": "a", "response": "x", column: 1.0}, {"id": "b", "response": "y", column: float("inf")}]
    with pytest.raises(LagerError, match=f"row 2: {column} is inf"):
        open_items(write(tmp_path, rows, ending=ending))


def test_a_whole_float_names_the_group_and_cluster_of_its_integer(tmp_path):
    values = [1, 1.0, -0.0, 0, 2.5, 1e300, "1.0"]
    rows = [{"id": str(n), "response": value, "group": value, "cluster": value} for n, value in enumerate(values)]
    items = open_items(write(tmp_path, rows)).part(range(len(values)))
    assert items.table["group"].to_list() == ["1", "1", "0", "0", "2.5", "1e+300", "1.0"]
    assert items.table["cluster"].to_list() == items.table["group"].to_list()
    assert [repr(fields["response"]) for fields in items.fields[:2]] == ["1", "1.0"]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_a_list_is_no_label(tmp_path, ending):
    with pytest.raises(LagerError, match="row 1: cluster is a list"):
        open_items(write(tmp_path, [{"response": "x", "cluster": ["a", "b"]}], ending=ending))


def test_a_human_score_file_has_no_label_nan(tmp_path):
    rows = [{"id": i, "score": 3, "cluster": float("nan"), "aspect": float("nan"), "of": {"1": 0.5}} for i in "ab"]
    table = read_human_scores(write(tmp_path, rows), None)
    assert table["cluster"].to_list() == table["aspect"].to_list() == [None, None]


def test_rows_without_a_cluster_are_clusters_of_their_own():
    nan = float("nan")
    assert count_clusters([nan, nan, None, "a", "a"], 5) == 4
    assert count_clusters(np.array([nan, nan, 1.0, 1.0]), 4) == 3


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_text_parts_are_read_as_the_text_that_they_are(tmp_path, ending):
    rows = [{"messages": [{"role": "user", "content": [TEXT, {"type": "text", "text": "this."}]}]}]
    assert open_items(write(tmp_path, rows, ending=ending)).part(range(1)).fields == (
        {"messages": [{"role": "user", "content": "Rate this."}]},
    )


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "its content is missing"),
        ([{"type": "image", "text": None}], "part of its content is image"),
        (3, "is int"),
    ],
)
def test_other_contents_are_refused(tmp_path, ending, content, message):
    with pytest.raises(LagerError, match=f"row 1: messages, message 1: .*{message}"):
        open_items(write(tmp_path, [{"messages": [{"role": "user", "content": content}]}], ending=ending))


COLLECTIONS = {
    "list": list, "tuple": tuple, "array": np.array, "pandas": pd.Series, "polars": pl.Series, "generator": iter,
}  # fmt: skip


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_collections_have_a_value_for_each_item(kind):
    assert [str(one) for one in each_value(COLLECTIONS[kind](["a", "b"]), what="response")] == ["a", "b"]


@pytest.mark.parametrize("value", [{"a", "b"}, np.zeros((2, 2)), pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]})])
def test_what_has_no_order_of_values_is_refused(value):
    with pytest.raises(LagerError, match=r"response is a .*: expected one value, or a list"):
        each_value(value, what="response")


@pytest.mark.parametrize("value", ["text", 3, None, {"a": 1}, np.float64(1), np.array(1.0)])
def test_one_value_is_no_collection(value):
    assert each_value(value, what="response") is None
