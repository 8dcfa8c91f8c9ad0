"""A column of labels as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ...data.items.values import label_text
from .segments import narrow

_NO_LABEL = "(none)"


@dataclass(frozen=True)
class Labels:
    """The labels of n items.

    Parameters
    ----------
    names : polars.Series
        The distinct labels that an item has, as text, ascending.
    codes : ndarray of shape (n_items,)
        Each item's place in `names`, -1 where it has no label.
    """

    names: pl.Series
    codes: NDArray[np.intp]

    @classmethod
    def of(cls, column: ArrayLike | pl.Series) -> Labels:
        """Read a column of labels, of which the text counts, or None."""
        text = column if _is_text(column) else _text(np.asarray(column, dtype=object))
        names = text.drop_nulls().unique().sort()
        codes = text.cast(pl.Enum(names)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()
        return cls(names, narrow(codes.astype(np.intp), len(codes)))

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.codes)

    def take(self, rows: NDArray[np.bool_]) -> Labels:
        """Return the labels of some items, without names that none of them has."""
        if rows.all():
            return self
        codes = self.codes[rows]
        there = np.zeros(len(self.names) + 1, dtype=np.bool_)
        there[codes] = True  # -1 is the last one
        place = np.cumsum(there) - 1
        return Labels(self.names.filter(pl.Series(there[:-1])), np.where(codes < 0, codes, place[codes]))

    def segments(self) -> tuple[tuple[str, ...], NDArray[np.intp]]:
        """Return the names and each item's place in them; to have no label is a label of its own."""
        if not (self.codes < 0).any():
            return tuple(self.names.to_list()), self.codes
        texts = np.array([*self.names.to_list(), _NO_LABEL], dtype=object)
        return Labels.of(texts[self.codes]).segments()

    def clusters(self) -> tuple[int, NDArray[np.intp]]:
        """Return the number of clusters and each item's; an item without a label is a cluster by itself."""
        alone = np.flatnonzero(self.codes < 0)
        codes = self.codes.copy() if len(alone) else self.codes
        codes[alone] = len(self.names) + np.arange(len(alone))
        return len(self.names) + len(alone), codes


def _text(column: NDArray[Any]) -> pl.Series:
    try:
        return pl.Series(column, dtype=pl.String, strict=True)
    except (TypeError, pl.exceptions.PolarsError):  # labels that are no text
        return pl.Series([label_text(value, what="a label") for value in column], dtype=pl.String)


def _is_text(column: ArrayLike | pl.Series) -> TypeGuard[pl.Series]:
    return isinstance(column, pl.Series) and column.dtype == pl.String
