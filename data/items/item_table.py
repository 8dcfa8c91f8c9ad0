"""Columns of the item table as arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import LagerError
from ..files.canonical import sha256_json
from ..files.json_text import parse_json
from ..rounding import rounded_means
from .items import OWN_TYPES, TABLE_SCHEMA


def object_column(items: pl.DataFrame, name: str) -> NDArray[np.object_] | None:
    """Return a column as an ndarray of str or None, or None when it is missing or all null.

    Rows of equal text share one str object, so that a group of ten million items takes no more than its pointers.
    """
    if name not in items.columns or items[name].is_null().all():
        return None
    column = items[name].cast(pl.String)
    distinct = column.unique(maintain_order=True).drop_nulls()
    texts = np.array([*distinct.to_list(), None], dtype=object)
    codes = column.cast(pl.Enum(distinct)).to_physical().fill_null(len(distinct))
    return np.asarray(texts[codes.to_numpy()])


def without_empty(items: pl.DataFrame) -> pl.DataFrame:
    """Return the same table with columns that are all null as constants, which take no memory for each row."""
    empty = [name for name in items.columns if items[name].null_count() == len(items)]
    return items.with_columns(pl.lit(None, dtype=items.schema[name]).alias(name) for name in empty)


def flat_scores(scores: pl.Series) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return every annotator's scores, item after item, and how many each item has."""
    counts = scores.list.len().fill_null(0).to_numpy().astype(np.intp)
    flat = scores.filter(pl.Series(counts > 0)).explode().cast(pl.Float64).to_numpy()
    return np.asarray(flat, dtype=np.float64), counts


def mean_scores(scores: pl.Series) -> NDArray[np.float64]:
    """Return the mean of each item's annotators, NaN where there is none; equal means are equal in every digit."""
    return rounded_means(scores.list.mean().cast(pl.Float64).fill_null(np.nan).to_numpy())


ITEM, TEXT, GENERATED = "item", "text", "generated"


def encode_rows(table: pl.DataFrame) -> list[str]:
    """Return each row of an item table as JSON, without its id, in the order of the columns."""
    columns = [name for name in table.columns if name != "item_id"]
    own = [name for name in columns if name not in TABLE_SCHEMA and table.schema[name] != OWN_TYPES.get(name)]
    rows = table.select(columns).with_columns(pl.col(own).cast(pl.String)).to_dicts()
    return [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows]


def table_schema(row: str, *, path: Path) -> dict[str, Any]:
    """Return the columns of an item table, with their types, from one of its JSON rows."""
    own = {
        name: pl.String if isinstance(value, str) else OWN_TYPES.get(name, pl.String)
        for name, value in _decoded(row, path).items()
        if name not in TABLE_SCHEMA
    }
    return TABLE_SCHEMA | own


def decode_rows(item_id: Sequence[str], rows: Sequence[str], *, schema: dict[str, Any], path: Path) -> pl.DataFrame:
    """Return the item table of a shard from its JSON rows; columns that these lack are null."""
    decoded = [_decoded(row, path) for row in rows]
    if unknown := {name for row in decoded for name in row} - set(schema):
        raise LagerError(f"{path} has item rows with columns that its first one lacks ({len(unknown)}); {_REMEDY}")
    values = {name: [row.get(name) for row in decoded] for name in schema if name != "item_id"}
    try:
        return pl.DataFrame({"item_id": list(item_id), **values}, schema=schema, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        raise LagerError(f"{path} has item rows with values of other types than an item table; {_REMEDY}") from None


_REMEDY = "remove it and run the same extraction again"


def _decoded(row: str, path: Path) -> dict[str, Any]:
    try:
        value = parse_json(row)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not set(TABLE_SCHEMA) <= {"item_id", *value}:
        raise LagerError(f"{path} has item rows that are no rows of an item table; {_REMEDY}")
    return value


def text_sha256(optional: dict[str, Any]) -> str:
    """Return the hash of what a shard carries as text: item rows and generated text, whichever there are."""
    return sha256_json({name: list(optional[name]) for name in (ITEM, GENERATED) if name in optional})
