"""Agreement over items: pooled, or inside each group; with another column partialled out where that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..metrics.metrics import METRICS, NO_SCALE
from ..weighted.cluster_pairs import ClusterPairs
from ..weighted.context import NOTHING, Context
from ..weighted.pairing import Pairing, WeightedPairing
from ..weighted.ranking import Ranking, WeightedRanking, all_once
from ..weighted.segments import Segments, narrow, runs
from .fold_scores import Footing

#: The metrics that have a partial form.
PARTIAL = ("spearman", "pearson", "kendall")
_ALL = 1e-9  # of a square: what the column tells of a side is all of it
_KEPT_ITEMS = 200_000  # the order of so many is worth its memory when resamples follow


class ItemLevel:
    """Items compared with items of the same segment; sorted once, weighted many times, unless they are very many.

    Parameters
    ----------
    human : ndarray of shape (n_items,)
        Finite human scores.
    scores : sequence of ndarray of shape (n_items,)
        Finite scores of every judge.
    labels : tuple of str
        Names of the segments.
    segment : ndarray of shape (n_items,)
        Index of each item's segment; every segment has an item.
    context : Context
        What some metrics need besides.
    of : {"items", "systems"}
        What the rows are, for reasons: items, or systems with their mean scores.
    folded : mapping of int to Footing
        What metrics take in place of the scores of judges, by their place, that were fitted by folds.

    Attributes
    ----------
    labels : tuple of str
        The segments' names: groups, or one empty name.
    sizes : ndarray of shape (n_segments,)
        Rows in each.
    segment : ndarray of shape (n_items,)
        As given.
    """

    def __init__(
        self,
        human: NDArray[np.float64],
        scores: Sequence[NDArray[np.float64]],
        *,
        labels: tuple[str, ...],
        segment: NDArray[np.intp],
        context: Context = NOTHING,
        of: str = "items",
        folded: Mapping[int, Footing] | None = None,
    ) -> None:
        self.labels, self._of = labels, of
        self.sizes = np.bincount(segment, minlength=len(labels)).astype(np.intp)
        self._human, self._scores, self._folded = human, scores, folded or {}
        self.segment, self._context = segment, context

    def values(self, weights: NDArray[np.float64], metrics: Sequence[str]) -> NDArray[np.float64]:
        """Return each metric under weights: shape (n_scores, n_metrics, n_segments, n_resamples)."""
        arranged = self._arranged
        weights = weights if all_once(weights) else weights[arranged.rows]
        human = WeightedRanking(arranged.human, weights)
        out = np.empty((len(self._scores), len(metrics), len(self.sizes), weights.shape[1]))
        for s in range(len(self._scores)):
            pairs: dict[str, WeightedPairing] = {}
            for m, name in enumerate(metrics):
                way = METRICS[name].by_folds if s in self._folded else "raw"
                if way not in pairs:
                    pairs[way] = self._pairing(s, way).weighted(weights, human)
                known = self._context.labels is not None or not METRICS[name].needs_labels
                out[s, m] = METRICS[name].compute(pairs[way]) if known else np.nan
        if not self._keeps:
            del self._arranged
        return out

    @property
    def _keeps(self) -> bool:
        """Whether orders are worth their memory for the resamples that follow."""
        return len(self.segment) <= _KEPT_ITEMS

    @cached_property
    def _arranged(self) -> _Arranged:
        return _Arranged(self._human, self.segment, self._context)

    def _pairing(self, score: int, way: str) -> Pairing:
        """Return a judge beside the humans, in one of the ways of `Metric.by_folds`."""
        arranged = self._arranged
        if (score, way) in arranged.pairings:
            return arranged.pairings[score, way]
        values = self._scores[score] if way == "raw" else getattr(self._folded[score], way)
        ranking = Ranking(values[arranged.rows], arranged.human.segments)
        pairing = Pairing(ranking, arranged.human, arranged.context.of_judge(score), arranged.cluster_pairs)
        if self._keeps:
            arranged.pairings[score, way] = pairing
        return pairing

    def why_undefined(self, score: int, segment: int, metric: str) -> str:
        """Say why a metric of one score is undefined in a segment."""
        if METRICS[metric].needs_labels and self._context.labels is None:
            return NO_SCALE
        if not METRICS[metric].needs_variation:
            return METRICS[metric].undefined
        if self.sizes[segment] < 2:
            return f"fewer than 2 {self._of}"
        if self._arranged.human.classes.sizes[segment] == 1:
            return f"constant human {'scores' if self._of == 'items' else 'means'}"
        way = METRICS[metric].by_folds if score in self._folded else "raw"
        if self._pairing(score, way).score.classes.sizes[segment] == 1:
            return "constant scores"
        return "no variation beyond rounding"


class _Arranged:
    """The human side by segment, and the judges that were put beside it."""

    def __init__(self, human: NDArray[np.float64], segment: NDArray[np.intp], context: Context) -> None:
        single = bool((segment == segment[0]).all())
        self.rows: Any = slice(None) if single else narrow(np.argsort(segment, kind="stable"), len(segment))
        self.human = Ranking(human[self.rows], Segments(runs(segment[self.rows]), len(segment)))
        cluster = None if context.cluster is None else context.cluster[self.rows]
        self.context = replace(context, cluster=cluster)
        self.cluster_pairs = None if cluster is None else ClusterPairs(cluster, self.human)
        self.pairings: dict[tuple[int, str], Pairing] = {}


class PartialLevel(ItemLevel):
    """An `ItemLevel` whose figures are partial correlations, in each segment and under each weighting.

    ``(r_xy - r_xz r_yz) / sqrt((1 - r_xz**2) (1 - r_yz**2))`` with z the column, of mid-ranks for Spearman and of tau-b
    for Kendall (Kendall 1942). Where z is constant nothing is partialled out; undefined where it tells all of a side.
    """

    def __init__(
        self,
        human: NDArray[np.float64],
        scores: Sequence[NDArray[np.float64]],
        column: NDArray[np.float64],
        *,
        labels: tuple[str, ...],
        segment: NDArray[np.intp],
        context: Context,
        folded: Mapping[int, Footing],
    ) -> None:
        context = replace(context, judges=())  # which are not those of the columns here
        super().__init__(human, [*scores, column], labels=labels, segment=segment, context=context, folded=folded)
        self._beside = ItemLevel(column, scores, labels=labels, segment=segment, context=context, folded=folded)

    def values(self, weights: NDArray[np.float64], metrics: Sequence[str]) -> NDArray[np.float64]:
        """Return each partial figure under weights: shape (n_scores, n_metrics, n_segments, n_resamples)."""
        with_human = super().values(weights, metrics)
        own, of_human = with_human[:-1], np.nan_to_num(with_human[-1:])
        of_scores = np.nan_to_num(self._beside.values(weights, metrics))
        left = (1 - of_scores**2) * (1 - of_human**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(left > _ALL, (own - of_scores * of_human) / np.sqrt(left), np.nan)

    def why_undefined(self, score: int, segment: int, metric: str) -> str:
        """Say why a figure of one score is undefined in a segment."""
        reason = super().why_undefined(score, segment, metric)
        return "the column that is partialled out tells all of a side" if reason.startswith("no variation") else reason


def check_partial(metrics: Sequence[str], level: str) -> None:
    """Raise `LagerError` for what has no partial form."""
    if other := [name for name in metrics if name not in PARTIAL]:
        raise LagerError(f"{other[0]} has no partial form: choose from {', '.join(PARTIAL)}")
    if level == "system":
        raise LagerError("partial figures are of items, not of systems' means: use level pooled or group")


def column_of(partial: ArrayLike, human: ArrayLike) -> NDArray[np.float64]:
    """Return the column's values of the items that have a human score."""
    values, scores = (np.asarray(one, dtype=np.float64) for one in (partial, human))
    if values.shape != scores.shape:
        raise LagerError(
            f"what is partialled out has shape {values.shape}, expected one number for each of {scores.shape}"
        )
    values = values[~np.isnan(scores)]
    if not np.isfinite(values).all():
        raise LagerError("what is partialled out is missing or infinite for some item: give a number for each")
    return values
