"""Spearman's rank correlation in numpy: importing scipy.stats would cost more than training does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.rounding import tie_classes

_CONSTANT = 1e-12  # ranks are shares of the weight here


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


def level_spearman(
    scores: NDArray[np.float64],
    human: NDArray[np.float64],
    *,
    weight: NDArray[np.float64] | float = 1.0,
    group: NDArray[np.intp] | None = None,
) -> float | None:
    """Return weighted Spearman, the mean over groups where there are any: what settings are chosen by.

    Scores that are constant in a group have 0 there: left out, they would be compared on other groups than the rest.
    None where no group's human scores differ, or no group's scores do.
    """
    weights = np.broadcast_to(np.asarray(weight, dtype=np.float64), human.shape)
    found, varied = [], False
    for rows in members(group, len(human)):
        shares = weights[rows] / weights[rows].sum()
        ours, theirs = (_centred(weighted_ranks(side[rows], shares), shares) for side in (scores, human))
        if (spread := shares @ theirs**2) <= _CONSTANT:
            continue
        norm = np.sqrt((shares @ ours**2) * spread)
        found.append(float(shares @ (ours * theirs) / norm) if norm > _CONSTANT else 0.0)
        varied |= bool(norm > _CONSTANT)
    return float(np.mean(found)) if varied else None


def members(group: NDArray[np.intp] | None, n: int) -> list[NDArray[np.intp]]:
    """Return the rows of each group, all in one where there are none."""
    if group is None:
        return [np.arange(n)]
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _centred(ranks: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    return ranks - weight @ ranks


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return Spearman's rho with average ranks, or None where it is undefined (a constant side, under 2 items)."""
    a, b = average_ranks(first), average_ranks(second)
    a, b = a - a.mean() if len(a) else a, b - b.mean() if len(b) else b
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0.0 else None
