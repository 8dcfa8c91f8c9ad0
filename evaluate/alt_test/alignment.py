"""How well one score of an item fits the scores that raters gave it: accuracy, or minus the root mean squared error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError

Alignment = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def _accuracy(score: NDArray[np.float64], raters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of raters who gave the very score."""
    return _mean(np.where(np.isnan(raters), np.nan, score[:, None] == raters))


def _neg_rmse(score: NDArray[np.float64], raters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return minus the root of the mean squared distance to the raters."""
    return -np.sqrt(_mean((score[:, None] - raters) ** 2))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    present = ~np.isnan(values)
    return np.asarray(np.where(present, values, 0.0).sum(axis=1) / present.sum(axis=1))


#: By name; each takes scores of shape (n_items,) and raters of shape (n_items, n_raters), one or more in each row.
ALIGNMENTS: Mapping[str, Alignment] = MappingProxyType({"neg-rmse": _neg_rmse, "accuracy": _accuracy})


def check_alignment(name: str) -> Alignment:
    """Return an alignment by its name, or raise `LagerError` for an unknown one."""
    if name not in ALIGNMENTS:
        raise LagerError(f"unknown alignment {name!r}: choose from {', '.join(ALIGNMENTS)}")
    return ALIGNMENTS[name]
