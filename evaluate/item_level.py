"""Agreement over items: pooled, or inside each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cluster_pairs import ClusterPairs
from .context import NOTHING, Context
from .metrics import METRICS, NO_SCALE
from .pairing import Pairing
from .ranking import Ranking, WeightedRanking
from .segments import Segments, runs

_KEPT_ITEMS = 200_000  # the order of so many is worth its memory when resamples follow


class ItemLevel:
    """Items compared with items of the same segment; sorted once, weighted many times.

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
    """

    def __init__(
        self,
        human: NDArray[np.float64],
        scores: Sequence[NDArray[np.float64]],
        *,
        labels: tuple[str, ...],
        segment: NDArray[np.intp],
        context: Context = NOTHING,
    ) -> None:
        self.labels = labels
        self._rows: Any = slice(None) if len(labels) == 1 else np.argsort(segment, kind="stable")
        segments = Segments(runs(segment[self._rows]), len(segment))
        self.sizes = segments.sizes
        cluster = None if context.cluster is None else context.cluster[self._rows]
        self._context = replace(context, cluster=cluster)
        self._human = Ranking(human[self._rows], segments)
        self._cluster_pairs = None if cluster is None else ClusterPairs(cluster, self._human)
        self._scores = scores
        self._kept: dict[int, Pairing] = {}

    def values(self, weights: NDArray[np.float64], metrics: Sequence[str]) -> NDArray[np.float64]:
        """Return each metric under weights: shape (n_scores, n_metrics, n_segments, n_resamples)."""
        weights = weights[self._rows]
        human = WeightedRanking(self._human, weights)
        out = np.empty((len(self._scores), len(metrics), len(self.sizes), weights.shape[1]))
        for s in range(len(self._scores)):
            pairing = self._pairing(s)
            pair = pairing.weighted(weights, human)
            for m, name in enumerate(metrics):
                known = pairing.context.labels is not None or not METRICS[name].needs_labels
                out[s, m] = METRICS[name].compute(pair) if known else np.nan
        return out

    def _pairing(self, score: int) -> Pairing:
        """Return a judge beside the humans; its order is kept for other weights, unless the items are very many."""
        if score in self._kept:
            return self._kept[score]
        ranking = Ranking(self._scores[score][self._rows], self._human.segments)
        pairing = Pairing(ranking, self._human, self._context.of_judge(score), self._cluster_pairs)
        if len(ranking.values) <= _KEPT_ITEMS:
            self._kept[score] = pairing
        return pairing

    def why_undefined(self, score: int, segment: int, metric: str) -> str:
        """Say why a metric of one score is undefined in a segment."""
        if METRICS[metric].needs_labels and self._context.labels is None:
            return NO_SCALE
        if not METRICS[metric].needs_variation:
            return METRICS[metric].undefined
        if self.sizes[segment] < 2:
            return "fewer than 2 items"
        if self._human.classes.sizes[segment] == 1:
            return "constant human scores"
        if self._pairing(score).score.classes.sizes[segment] == 1:
            return "constant scores"
        return "no variation beyond rounding"
