"""Which system is above which: differences of means with Holm's correction, sets of ranks, shares of orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..agreement.difference import holm
from .cluster_sums import ClusterSums, Floats
from .clustered_mean import ClusteredMeans, difference, interval, p_value

_SHOWN_ORDERS = 5
_MOST_PARTS = 2000
_ROUNDING = 1e-12  # of the largest mean: a smaller error is none, and says nothing of what others would differ by


@dataclass(frozen=True)
class MeanDifference:
    """The mean of `one` less that of `other`, paired by cluster.

    Parameters
    ----------
    one, other : str
    difference, low, high : float
        With its interval, by itself.
    p, p_holm : float
        Of no difference; corrected for all pairs.
    """

    one: str
    other: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float


@dataclass(frozen=True)
class RankSet:
    """The ranks, 1 the highest mean, that a system may have: all systems' sets hold theirs at once at the level."""

    system: str
    best: int
    worst: int


@dataclass(frozen=True)
class OrderShare:
    """In which share of the bootstrap's draws of clusters the systems stood in an order, the highest mean first.

    It is no probability that the order is right.
    """

    order: tuple[str, ...]
    share: float


def differences(names: Sequence[str], means: ClusteredMeans, level: float) -> tuple[MeanDifference, ...]:
    """Compare all pairs of domains that have an error, and whose difference has one."""
    usable = [place for place in range(len(names)) if np.isfinite(means.error[place])]
    found = [(one, other, difference(means, one, other)) for one, other in combinations(usable, 2)]
    found = [pair for pair in found if pair[2][1] > _ROUNDING * np.abs(means.mean[usable]).max()]
    p = [p_value(*of_pair) for _, _, of_pair in found]
    return tuple(
        MeanDifference(names[one], names[other], of_pair[0], *interval(*of_pair, level), raw, corrected)
        for (one, other, of_pair), raw, corrected in zip(found, p, holm(p), strict=True)
    )


def rank_sets(names: Sequence[str], found: Sequence[MeanDifference], level: float) -> tuple[RankSet, ...]:
    """Return each system's ranks that no difference excludes, corrected for all pairs (Mogstad et al. 2024)."""
    above, below = Counter[str](), Counter[str]()
    for pair in found:
        if pair.p_holm <= 1 - level:
            lower, higher = (pair.one, pair.other) if pair.difference < 0 else (pair.other, pair.one)
            above[lower] += 1
            below[higher] += 1
    compared = {name for pair in found for name in (pair.one, pair.other)}
    known = [name for name in names if name in compared]
    return tuple(RankSet(name, 1 + above[name], len(known) - below[name]) for name in known)


def order_shares(
    names: Sequence[str], sums: ClusterSums, means: ClusteredMeans, *, resamples: int, seed: int
) -> tuple[OrderShare, ...]:
    """Return the most frequent orders of the means when clusters are drawn with replacement, the judge's weight kept.

    Clusters with and without labels are drawn apart, as many as there are; very many are dealt into parts first.
    """
    usable = np.flatnonzero(np.isfinite(means.error))
    if len(usable) < 2 or resamples == 0:
        return ()
    rng = np.random.default_rng(seed)
    sums = sums.dealt(_MOST_PARTS, rng)
    with_labels = sums.n_labelled.sum(axis=0) > 0
    parts = [rows for flag in (True, False) if len(rows := np.flatnonzero(with_labels == flag))]
    orders: Counter[tuple[int, ...]] = Counter()
    at_once = max(1, 2_000_000 // len(with_labels))
    for first in range(0, resamples, at_once):
        some = min(at_once, resamples - first)
        times = np.zeros((some, len(with_labels)))
        for rows in parts:
            times[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=some)
        estimates = _resampled(sums, times, means.weight)[:, usable]
        drawn = np.argsort(-np.where(np.isnan(estimates), -np.inf, estimates), axis=1, kind="stable")
        orders.update(map(tuple, usable[drawn].tolist()))
    return tuple(
        OrderShare(tuple(names[place] for place in order), count / resamples)
        for order, count in orders.most_common(_SHOWN_ORDERS)
    )


def _resampled(sums: ClusterSums, times: NDArray[np.float64], weight: float) -> Floats:
    """Return the estimates where each cluster counts some times: shape (n_resamples, n_domains)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        labelled, n_all = times @ sums.weight.T, times @ sums.n_all.T
        corrected = times @ (sums.human - weight * sums.judge).T / labelled
        return np.asarray(corrected + weight * (times @ sums.judge_all.T) / n_all)
