"""Segments: runs of rows that one value is computed for, and the sums over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

MANY = 1_000_000  # from so many rows on, their numbers are kept in 32 bits
_WIDE = 32  # from this many columns on, one row at a time is faster than numpy's own cumulative sum


@dataclass(frozen=True)
class Segments:
    """Rows 0..n-1 cut into consecutive segments, none of them empty.

    Pooled agreement has one segment, agreement per group has one for each group.

    Parameters
    ----------
    starts : ndarray of shape (n_segments,)
        First row of every segment, ascending from 0.
    n : int
        Number of rows.
    """

    starts: NDArray[np.intp]
    n: int

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self.starts)

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """Rows in each segment, an ndarray of shape (n_segments,)."""
        return np.diff(self.starts, append=self.n).astype(np.intp)

    @cached_property
    def of_row(self) -> NDArray[np.intp]:
        """The segment of each row, an ndarray of shape (n,)."""
        return np.repeat(narrow(np.arange(len(self.starts)), self.n), self.sizes)

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up the rows of each segment: shape (n, n_columns) to (n_segments, n_columns)."""
        if len(self) == 1:
            return values.sum(axis=0, keepdims=True)
        if values.shape[1] < _WIDE:
            return np.add.reduceat(values, self.starts, axis=0)
        bounds = zip(self.starts, self.starts + self.sizes, strict=True)
        return np.stack([values[start:end].sum(axis=0) for start, end in bounds])

    def dot(self, left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``sum(left * right)`` without the product in memory where the columns are many."""
        if left.shape[1] < _WIDE:
            return self.sum(left * right)
        bounds = zip(self.starts, self.starts + self.sizes, strict=True)
        return np.stack([np.einsum("ij,ij->j", left[start:end], right[start:end]) for start, end in bounds])

    def expand(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give every row its segment's value; a single segment is left to broadcast."""
        return values if len(self) == 1 else values[self.of_row]


def narrow(numbers: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Return numbers below `n` in half the memory where they are of very many rows; they index as well."""
    return numbers.astype(np.int32) if MANY < n < 1 << 31 else numbers


def runs(*keys: NDArray[Any]) -> NDArray[np.intp]:
    """Return where runs of equal rows start in sorted key columns, an ndarray of shape (n_runs,)."""
    new = np.zeros(len(keys[0]), dtype=bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


def cumulate(values: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the cumulative sum of ``values[order]`` down the rows, with a row of zeros before it."""
    out = np.zeros((len(order) + 1, values.shape[1]))
    if values.shape[1] < _WIDE:
        np.cumsum(values[order], axis=0, out=out[1:])
        return out
    for target, source in enumerate(order.tolist()):
        np.add(out[target], values[source], out=out[target + 1])
    return out


def weighted_sums(
    values: Iterable[NDArray[np.float64]], weights: NDArray[np.float64], segments: Segments
) -> NDArray[np.float64]:
    """Return ``sum(w * value)`` over the rows of each segment.

    Parameters
    ----------
    values : iterable of n_values ndarrays of shape (n,)
        For one set of weights, one after the other is asked for and let go.
    weights : ndarray of shape (n, n_resamples)
    segments : Segments

    Returns
    -------
    ndarray of shape (n_values, n_segments, n_resamples)
    """
    if weights.shape[1] == 1:
        sums = [np.add.reduceat(one * weights[:, 0], segments.starts) for one in values]
        return np.array(sums)[:, :, None]
    matrix = np.stack(list(values))
    bounds = zip(segments.starts, segments.starts + segments.sizes, strict=True)
    return np.stack([matrix[:, start:end] @ weights[start:end] for start, end in bounds], axis=1)
