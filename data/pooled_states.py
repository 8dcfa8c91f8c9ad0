"""Pooled hidden states of some items, read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PooledStates(Mapping[str, NDArray[np.float32]]):
    """Hidden states by pooling, ndarrays of shape (n_items, n_layers + 1, d).

    Nothing is read before a pooling is asked for: strategies that use read-outs only do not pay for the states.

    Parameters
    ----------
    read : callable
        Takes a pooling and row numbers, and returns the states of those items.
    poolings : tuple of str
        What there is.
    rows : ndarray of int
        The items that this view holds.
    """

    read: Callable[[str, NDArray[np.intp]], NDArray[np.float32]]
    poolings: tuple[str, ...]
    rows: NDArray[np.intp]

    def __getitem__(self, pooling: str) -> NDArray[np.float32]:
        """Return the states of one pooling."""
        if pooling not in self.poolings:
            raise KeyError(pooling)
        return self.read(pooling, self.rows)

    def __iter__(self) -> Iterator[str]:
        """Name the poolings."""
        return iter(self.poolings)

    def __len__(self) -> int:
        """Return the number of poolings."""
        return len(self.poolings)

    def take(self, rows: NDArray[Any] | slice) -> PooledStates:
        """Return the view on `rows` of this view, an index or boolean array or a slice."""
        return PooledStates(self.read, self.poolings, self.rows[rows])
