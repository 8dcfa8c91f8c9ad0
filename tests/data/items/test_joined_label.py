"""Labels of several columns as one: no two of them collide."""

from itertools import product

import polars as pl
import pytest
from lager.data.items.joined_label import joined_label
from lager.evaluate.agreement.grouping import group_series

PARTS = [
    None, "(none)", '"(none)"', "", " ", "/", "x", "y", "z", "x /", "/ z", "x / y", "y / z",
    'x" / "y', '"x', '"x / y"', "\\",
]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3])
def test_different_labels_have_different_names(count):
    rows = list(product(PARTS, repeat=count))
    assert len({joined_label(row) for row in rows}) == len(rows)


def test_names_are_plain_where_they_are_clear():
    assert joined_label(["set", "a/b"]) == "set / a/b"
    assert joined_label(["x / y", "z"]) == '"x / y" / z'
    assert joined_label(["x", "y / z"]) == 'x / "y / z"'
    assert joined_label([None, "z"]) == "(none) / z"
    assert joined_label(["x / y"]) == "x / y"


def test_groups_by_columns_are_named_so():
    rows = [row for row in product(PARTS, repeat=2)]
    items = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    assert group_series(items, ["a", "b"]).to_list() == [joined_label(row) for row in rows]
    assert group_series(items, ["a"]).to_list() == [joined_label(row[:1]) for row in rows]
