"""Is a fit better than its group's mean, and than counting tokens, on clusters that it has not seen?

The strategy is fitted three times, without a third of the clusters each, on at most 2,000 items, and `group-mean` with
it. Ranks compare items under one model: an item's value is its mid-rank in its group under the model that has not seen
it. Differences have a jackknife error over the clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.cache.readouts import Readouts
from ..data.errors import LagerError
from .aggregator.strategy import Strategy
from .solvers.folds import Split, cluster_codes, cluster_folds
from .solvers.rank_correlation import average_ranks, level_spearman, members
from .solvers.training_items import level_groups
from .strategies.fit import fit_strategy

FOLDS, MOST_ITEMS = 3, 2000
_PARTS, _ERRORS = 20, 2.0
_Figure = Callable[[NDArray[np.intp]], float]


class LeftOut(NamedTuple):
    """A strategy beside what knows nothing of the text, on clusters left out of its fit.

    Attributes
    ----------
    n, n_clusters : int
        Items and clusters that were left out in turn.
    spearman, length_spearman, mean_spearman : float
        Agreement at the level of the fit: of the strategy, the count of tokens (without its sign), and `group-mean`; 0
        where it is undefined.
    mae, mean_mae : float or None
        Mean absolute errors of the strategy and of `group-mean`; None for numbers that are no scores.
    notes : list of str
        What the fit is not better than, a line each.
    """

    n: int
    n_clusters: int
    spearman: float
    length_spearman: float
    mean_spearman: float
    mae: float | None
    mean_mae: float | None
    notes: list[str]


def check_left_out(train: Readouts, strategy: Strategy, *, preset: str, seed: int) -> LeftOut | None:
    """Return how a strategy does on clusters left out; None with fewer than six, or where a fit fails."""
    some = train.take(_drawn(train, seed)) if len(train) > MOST_ITEMS else train
    codes, every = cluster_codes(some.cluster, len(some)), np.arange(len(some))
    if (n_clusters := len(np.unique(codes))) < 2 * FOLDS:
        return None
    _, group = level_groups(some)
    folds = cluster_folds(some.cluster, len(some), FOLDS, seed)
    try:
        scores, ranks = _unseen(some, strategy, folds, group, preset=preset, seed=seed)
        means, mean_ranks = _unseen(some, "group-mean", folds, group, preset="converged", seed=seed)
    except LagerError:
        return None

    def agreement(values: NDArray[np.float64]) -> _Figure:
        return lambda at: level_spearman(values[at], some.human[at], group=None if group is None else group[at]) or 0.0

    def nearness(values: NDArray[np.float64]) -> _Figure:
        return lambda at: -float(np.abs(values - some.human)[at].mean())

    counts = some.n_tokens.astype(np.float64)
    counts = counts if agreement(counts)(every) >= 0 else -counts
    ours, parts = agreement(ranks), _without_parts(codes, seed)
    mean = "the mean of all items" if group is None else "the mean of each group"
    notes = _doubts(ours, agreement(counts), parts, "Spearman", "counting tokens")
    notes += _doubts(ours, agreement(mean_ranks), parts, "Spearman", mean)
    if strategy.on_scale:
        notes += _doubts(nearness(scores), nearness(means), parts, "mean absolute error", mean)
    return LeftOut(
        n=len(some),
        n_clusters=n_clusters,
        spearman=ours(every),
        length_spearman=agreement(counts)(every),
        mean_spearman=agreement(mean_ranks)(every),
        mae=-nearness(scores)(every) if strategy.on_scale else None,
        mean_mae=-nearness(means)(every) if strategy.on_scale else None,
        notes=notes,
    )


def _drawn(train: Readouts, seed: int) -> NDArray[np.intp]:
    """Return the rows of whole clusters, as few as hold `MOST_ITEMS` items."""
    codes = cluster_codes(train.cluster, len(train))
    place = np.random.default_rng(seed).permutation(int(codes.max()) + 1)[codes]
    return np.flatnonzero(place <= np.sort(place)[MOST_ITEMS - 1])


def _unseen(
    some: Readouts, strategy: Strategy | str, folds: list[Split], group: NDArray[np.intp] | None, *, preset: str,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Return each item's score and mid-rank in its group, as a share, under the model that has not seen it."""
    scores, ranks = np.empty(len(some)), np.empty(len(some))
    for fold in folds:
        found = fit_strategy(strategy, some.take(fold.train), preset=preset, seed=seed).predict(some)
        share = np.empty(len(some))
        for rows in members(group, len(some)):
            share[rows] = average_ranks(found[rows]) / len(rows)
        scores[fold.test], ranks[fold.test] = found[fold.test], share[fold.test]
    return scores, ranks


def _without_parts(codes: NDArray[np.intp], seed: int) -> list[NDArray[np.intp]]:
    """Return the rows without each cluster, or without each of `_PARTS` parts that clusters are dealt to."""
    n = int(codes.max()) + 1
    part = np.random.default_rng(seed).permutation(n)[codes] % min(n, _PARTS)
    return [np.flatnonzero(part != one) for one in np.unique(part)]


def _doubts(ours: _Figure, other: _Figure, parts: list[NDArray[np.intp]], what: str, than: str) -> list[str]:
    """Return a line where a strategy's figure is not above another by two jackknife errors of their difference."""
    every = np.arange(max(int(rows[-1]) for rows in parts) + 1)
    a, b = ours(every), other(every)
    error = np.sqrt(sum((ours(rows) - other(rows) - (a - b)) ** 2 for rows in parts))
    if a - b > _ERRORS * error:
        return []
    said = f"{abs(a):.3f} against {abs(b):.3f}"
    if a <= b:
        return [f"no better than {than} on clusters left out of the fit, by {what} ({said})"]
    return [
        f"not shown to be better than {than} on clusters left out of the fit, by {what} ({said}, error of the "
        f"difference {error:.3f})"
    ]
