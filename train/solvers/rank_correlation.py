"""Spearman's rank correlation in numpy: importing scipy.stats would cost more than training does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.rounding import tie_classes


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1, tied values sharing the mean of theirs; shape (n_items,).

    Values that differ by rounding tie, as they do in evaluation.
    """
    place, counts = tie_classes(values)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[place])


def weighted_ranks(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight below each item plus half of the weight tied with it; shape (n_items,)."""
    place, _ = tie_classes(values)
    mass = np.bincount(place, weights=weight)
    return np.asarray((np.cumsum(mass) - mass / 2.0)[place])


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return Spearman's rho with average ranks, or None where it is undefined (a constant side, under 2 items)."""
    a, b = average_ranks(first), average_ranks(second)
    a, b = a - a.mean() if len(a) else a, b - b.mean() if len(b) else b
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0.0 else None
