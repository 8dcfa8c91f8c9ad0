"""Agreement against the share of items that is kept when a judge abstains from those that it is least sure of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..agreement.agreement import evaluate_scores
from ..agreement.estimates import mean_of_defined
from ..agreement.item_level import ItemLevel
from ..agreement.levels import LevelName, arrange
from ..agreement.result import Estimate
from ..weighted.labels import Labels

#: In % of the items.
SHARES = tuple(range(100, 0, -10))
METRICS = ("spearman", "pearson", "mae")
_EXACT = "mae"  # its expectation under random orders is known, and so is its best order
_RANDOM_WORK = 100_000  # items in all random orders together
_RANDOM_ORDERS = (5, 50)  # at least and at most
_KEPT_AT_ONCE = 1 << 19  # flags of which items are kept, as weights: 4 MiB


class AbstentionPoint(NamedTuple):
    """Agreement on the items that are kept.

    Attributes
    ----------
    share : int
        Items kept, in %.
    n : int
        How many these are; the count is rounded up within each group.
    most_doubt : float
        The largest doubt among them.
    metrics : mapping of str to Estimate
        By `METRICS`.
    random : mapping of str to float or None
        What abstaining in random order gives: of the mean absolute error its exact expectation, of correlations their
        mean over seeded orders, those left out in which they are undefined; None where they are in all.
    oracle : float or None
        Mean absolute error when the items with the largest errors are abstained from first. No order can do better.
    """

    share: int
    n: int
    most_doubt: float
    metrics: Mapping[str, Estimate]
    random: Mapping[str, float | None]
    oracle: float | None


def abstention_curves(
    human: ArrayLike,
    score: ArrayLike,
    doubts: Mapping[str, ArrayLike],
    *,
    group: ArrayLike | pl.Series | None = None,
    cluster: ArrayLike | pl.Series | None = None,
    resamples: int = 0,
    seed: int = 0,
) -> dict[str, tuple[AbstentionPoint, ...]]:
    """Evaluate a judge on the items that it is surest of, for every share of `SHARES`.

    With groups, agreement is the mean over groups and the share is kept within each: every group stays in every
    figure, and a change comes from the items and not from groups that fell away. Items of equal doubt are taken in a
    seeded random order, not in the order they stand in. Intervals take the items that are kept as given.

    Parameters
    ----------
    human, score : array-like of shape (n_items,)
        NaN where there is none; such items do not count. Scores are on the human scale.
    doubts : mapping of str to array-like of shape (n_items,)
        One order or several, the largest doubt abstained from first.
    group, cluster : array-like or polars.Series of shape (n_items,), optional
        As in `evaluate_scores`; clusters are the unit of the intervals.
    resamples : int
        For the intervals; 0 for none.
    seed : int
        Of all draws, and of the order of ties.

    Returns
    -------
    dict of str to tuple of AbstentionPoint
        By doubt, a point for each share.

    Raises
    ------
    LagerError
        When lengths differ, an item with both scores has no doubt, or nothing can be compared.
    """
    items = _Items.of(human, score, group, cluster)
    rng = np.random.default_rng(seed)
    level = arrange(items.level, items.human, [items.score], group=items.group)
    random = _random(items, level, rng)
    oracle = _on_kept(level, items.kept(np.abs(items.score - items.human), rng), (_EXACT,))[0]
    unsure = {name: items.column(doubt, f"doubt {name!r}") for name, doubt in doubts.items()}
    kept = {name: items.kept(doubt, rng) for name, doubt in unsure.items()}
    judged = {
        f"{share} {name}": np.where(selected[:, k], items.score, np.nan)
        for name, selected in kept.items()
        for k, share in enumerate(SHARES)
    }
    found = evaluate_scores(
        items.human,
        judged,
        group=None if group is None else items.labels(group),
        cluster=None if cluster is None else items.labels(cluster),
        level=items.level,
        metrics=METRICS,
        resamples=resamples,
        seed=seed,
    )
    return {
        name: tuple(
            AbstentionPoint(
                share,
                int(selected[:, k].sum()),
                float(unsure[name][selected[:, k]].max()),
                found[f"{share} {name}"].metrics,
                {metric: _known(values[k]) for metric, values in random.items()},
                _known(oracle[k]),
            )
            for k, share in enumerate(SHARES)
        )
        for name, selected in kept.items()
    }


class _Items(NamedTuple):
    """The items with both scores, rows `there` of those given; `segment` is where each is ranked among others."""

    there: NDArray[np.bool_]
    human: NDArray[np.float64]
    score: NDArray[np.float64]
    group: Labels | None
    segment: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        human: ArrayLike,
        score: ArrayLike,
        group: ArrayLike | pl.Series | None,
        cluster: ArrayLike | pl.Series | None,
    ) -> _Items:
        """Return the items that have both scores."""
        truth, judged = np.asarray(human, dtype=np.float64), np.asarray(score, dtype=np.float64)
        shapes = [truth.shape, judged.shape, *(np.shape(one) for one in (group, cluster) if one is not None)]
        if len(set(shapes)) > 1 or truth.ndim != 1:
            raise LagerError(f"columns have shapes {', '.join(map(str, shapes))}, expected one value for each item")
        there = ~np.isnan(truth) & ~np.isnan(judged)
        if not there.any():
            raise LagerError(f"none of the {len(there)} items has a score and a human score: check their ids")
        labels = None if group is None else Labels.of(group).take(there)
        segment = np.zeros(int(there.sum()), dtype=np.intp) if labels is None else labels.segments()[1]
        return cls(there, truth[there], judged[there], labels, segment)

    @property
    def level(self) -> LevelName:
        return "pooled" if self.group is None else "group"

    def column(self, values: ArrayLike, what: str) -> NDArray[np.float64]:
        """Return the items' numbers, none of them NaN."""
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.shape != self.there.shape:
            raise LagerError(
                f"{what} has shape {numbers.shape}, expected one number for each of {len(self.there)} items"
            )
        if missing := int(np.isnan(numbers[self.there]).sum()):
            raise LagerError(f"{what} is missing for {missing} items that have a score: leave their scores out too")
        return numbers[self.there]

    def labels(self, values: ArrayLike | pl.Series) -> pl.Series | NDArray[np.object_]:
        """Return the items' labels."""
        if isinstance(values, pl.Series):
            return values.filter(pl.Series(self.there))
        return np.asarray(values, dtype=object)[self.there]

    def kept(self, key: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
        """Return which items are kept: those of the smallest keys of each segment; shape (n_items, n_shares)."""
        order = np.lexsort((rng.random(len(key)), key, self.segment))
        sizes = np.bincount(self.segment)
        first = np.cumsum(sizes) - sizes
        place = np.empty(len(key), dtype=np.intp)
        place[order] = np.arange(len(key)) - first[self.segment[order]]
        return 100 * place[:, None] < np.array(SHARES) * sizes[self.segment][:, None]


def _on_kept(level: ItemLevel, kept: NDArray[np.bool_], metrics: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean over groups of each metric on each selection, shape (n_metrics, n_selections)."""
    return mean_of_defined(level.values(kept.astype(np.float64), metrics))[0]


def _random(items: _Items, level: ItemLevel, rng: np.random.Generator) -> Mapping[str, NDArray[np.float64]]:
    """Return what a random order gives at each share, NaN where undefined in all that were drawn."""
    n = len(items.score)
    orders = int(np.clip(_RANDOM_WORK // n, *_RANDOM_ORDERS))
    at_once = max(1, _KEPT_AT_ONCE // (n * len(SHARES)))
    blocks = []
    for first in range(0, orders, at_once):
        kept = [items.kept(rng.random(n), rng) for _ in range(first, min(first + at_once, orders))]
        blocks.append(_on_kept(level, np.concatenate(kept, axis=1), METRICS))
    found = np.concatenate(blocks, axis=1).reshape(len(METRICS), orders, len(SHARES))
    defined = ~np.isnan(found)
    with np.errstate(invalid="ignore"):
        means = np.where(defined, found, 0.0).sum(axis=1) / defined.sum(axis=1)
    everything = _on_kept(level, np.ones((n, 1), dtype=np.bool_), METRICS)[:, 0]
    # A random part of a group has, on the mean, the group's mean error. All items are one selection in any order.
    return {
        name: np.where((np.array(SHARES) == 100) | (name == _EXACT), everything[m], means[m])
        for m, name in enumerate(METRICS)
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
