"""Columns of the item table as arrays."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray


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
    """Return every annotator's scores, item after item, and how many each item has.

    Parameters
    ----------
    scores : polars.Series
        A list of numbers an item.
    """
    counts = scores.list.len().fill_null(0).to_numpy().astype(np.intp)
    flat = scores.filter(pl.Series(counts > 0)).explode().cast(pl.Float64).to_numpy()
    return np.asarray(flat, dtype=np.float64), counts
