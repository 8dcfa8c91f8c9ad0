"""Agreement over items: pooled, or inside each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .context import NOTHING, Context
from .metrics import METRICS, NO_SCALE
from .pairing import Pairing
from .ranking import Ranking, WeightedRanking
from .segments import Segments, runs


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
        self._rows = np.argsort(segment, kind="stable")
        segments = Segments(runs(segment[self._rows]), len(segment))
        self.sizes = segments.sizes
        cluster = None if context.cluster is None else context.cluster[self._rows]
        arranged = replace(context, cluster=cluster)
        self._human = Ranking(human[self._rows], segments)
        self._pairings = [
            Pairing(Ranking(score[self._rows], segments), self._human, arranged.of_judge(index))
            for index, score in enumerate(scores)
        ]

    def values(self, weights: NDArray[np.float64], metrics: Sequence[str]) -> NDArray[np.float64]:
        """Return each metric under weights: shape (n_scores, n_metrics, n_segments, n_resamples)."""
        weights = weights[self._rows]
        human = WeightedRanking(self._human, weights)
        out = np.empty((len(self._pairings), len(metrics), len(self.sizes), weights.shape[1]))
        for s, pairing in enumerate(self._pairings):
            pair = pairing.weighted(weights, human)
            for m, name in enumerate(metrics):
                known = pairing.context.labels is not None or not METRICS[name].needs_labels
                out[s, m] = METRICS[name].compute(pair) if known else np.nan
        return out

    def why_undefined(self, score: int, segment: int, metric: str) -> str:
        """Say why a metric of one score is undefined in a segment."""
        if METRICS[metric].needs_labels and self._pairings[score].context.labels is None:
            return NO_SCALE
        if not METRICS[metric].needs_variation:
            return METRICS[metric].undefined
        if self.sizes[segment] < 2:
            return "fewer than 2 items"
        if self._human.classes.sizes[segment] == 1:
            return "constant human scores"
        if self._pairings[score].score.classes.sizes[segment] == 1:
            return "constant scores"
        return "no variation beyond rounding"
