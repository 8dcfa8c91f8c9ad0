"""Labels as numbers."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .segments import narrow


def text_codes(column: NDArray[np.object_]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Return the distinct labels of a column in ascending order, and each row's index in them; -1 where it has none.

    Parameters
    ----------
    column : ndarray of shape (n_items,), dtype object
        Labels, of which the text counts, or None.
    """
    try:
        text = pl.Series(column, dtype=pl.String, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        text = pl.Series([None if value is None else str(value) for value in column], dtype=pl.String)
    labels = text.drop_nulls().unique().sort()
    codes = text.cast(pl.Enum(labels)).to_physical().cast(pl.Int64).fill_null(-1)
    return tuple(labels.to_list()), narrow(codes.to_numpy().astype(np.intp), len(column))
