"""Agreement over items: pooled, or inside each group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .metrics import METRICS
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
    """

    def __init__(
        self,
        human: NDArray[np.float64],
        scores: Sequence[NDArray[np.float64]],
        *,
        labels: tuple[str, ...],
        segment: NDArray[np.intp],
    ) -> None:
        self.labels = labels
        self._rows = np.argsort(segment, kind="stable")
        segments = Segments(runs(segment[self._rows]), len(segment))
        self.sizes = segments.sizes
        self._human = Ranking(human[self._rows], segments)
        self._pairings = [Pairing(Ranking(score[self._rows], segments), self._human) for score in scores]

    def values(self, weights: NDArray[np.float64], metrics: Sequence[str]) -> NDArray[np.float64]:
        """Return each metric under weights: shape (n_scores, n_metrics, n_segments, n_resamples)."""
        weights = weights[self._rows]
        human = WeightedRanking(self._human, weights)
        out = np.empty((len(self._pairings), len(metrics), len(self.sizes), weights.shape[1]))
        for s, pairing in enumerate(self._pairings):
            pair = pairing.weighted(weights, human)
            for m, name in enumerate(metrics):
                out[s, m] = METRICS[name].compute(pair)
        return out

    def why_undefined(self, score: int, segment: int) -> str:
        """Say why a correlation of one score is undefined in a segment."""
        n = int(self.sizes[segment])
        if n < 2:
            return "fewer than 2 items"
        if self._human.classes.sizes[segment] == 1:
            return "constant human scores"
        if self._pairings[score].score.classes.sizes[segment] == 1:
            return "constant scores"
        return "no variation beyond rounding"
