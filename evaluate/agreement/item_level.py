"""Agreement over items: pooled, or inside each group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.metrics import METRICS, NO_SCALE
from ..weighted.cluster_pairs import ClusterPairs
from ..weighted.context import NOTHING, Context
from ..weighted.pairing import Pairing, WeightedPairing
from ..weighted.ranking import Ranking, WeightedRanking, all_once
from ..weighted.segments import Segments, narrow, runs
from .fold_scores import Footing

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
