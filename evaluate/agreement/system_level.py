"""Agreement between systems: mean scores of each system, compared inside each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..metrics.metrics import METRICS, NO_SCALE
from ..weighted.context import NOTHING, Context
from ..weighted.pairing import Pairing
from ..weighted.ranking import Ranking, WeightedRanking
from ..weighted.segments import Segments, runs


class SystemLevel:
    """Systems compared by their mean scores, one comparison per segment.

    In a resample the means are taken over the items drawn, so their ranks differ from one resample to the next:
    each resample becomes segments of its own and all of them are ranked in one sort.

    Parameters
    ----------
    human : ndarray of shape (n_items,)
        Finite human scores.
    scores : sequence of ndarray of shape (n_items,)
        Finite scores of every judge.
    labels : tuple of str
        Names of the segments.
    segment, system : ndarray of shape (n_items,)
        Index of each item's segment and system.
    context : Context
        What some metrics need besides; pairs of systems are compared whatever the clusters.
    """

    def __init__(
        self,
        human: NDArray[np.float64],
        scores: Sequence[NDArray[np.float64]],
        *,
        labels: tuple[str, ...],
        segment: NDArray[np.intp],
        system: NDArray[np.intp],
        context: Context = NOTHING,
    ) -> None:
        self.labels = labels
        self._context = replace(context, cluster=None)
        self._rows = np.lexsort((system, segment))
        segment, system = segment[self._rows], system[self._rows]
        starts = runs(segment, system)
        self._cells = Segments(starts, len(segment))
        self._segment_of_cell = segment[starts]
        self.sizes = np.bincount(self._segment_of_cell, minlength=len(labels)).astype(np.intp)
        self._columns = [column[self._rows] for column in (human, *scores)]

    def values(self, weights: NDArray[np.float64], metrics: Sequence[str]) -> NDArray[np.float64]:
        """Return each metric under weights: shape (n_scores, n_metrics, n_segments, n_resamples)."""
        weights = weights[self._rows]
        n_resamples = weights.shape[1]
        drawn = self._cells.sum(weights).T  # (n_resamples, n_cells)
        resample, cell = np.nonzero(drawn)
        segment = resample * len(self.labels) + self._segment_of_cell[cell]
        starts = runs(segment)
        segments = Segments(starts, len(segment))
        means = [self._cells.sum(weights * column[:, None]).T[drawn > 0] / drawn[drawn > 0] for column in self._columns]
        human = Ranking(means[0], segments)
        once = np.ones((len(segment), 1))
        weighted_human = WeightedRanking(human, once)
        out = np.full((len(means) - 1, len(metrics), n_resamples * len(self.labels)), np.nan)
        for s, score in enumerate(means[1:]):
            pairing = Pairing(Ranking(score, segments), human, self._context.of_judge(s))
            pair = pairing.weighted(once, weighted_human)
            for m, name in enumerate(metrics):
                if self._context.labels is not None or not METRICS[name].needs_labels:
                    out[s, m, segment[starts]] = METRICS[name].compute(pair)[:, 0]
        return out.reshape(len(means) - 1, len(metrics), n_resamples, len(self.labels)).swapaxes(2, 3)

    def why_undefined(self, score: int, segment: int, metric: str) -> str:
        """Say why a metric of one score is undefined in a segment."""
        if METRICS[metric].needs_labels and self._context.labels is None:
            return NO_SCALE
        if not METRICS[metric].needs_variation:
            return METRICS[metric].undefined
        if self.sizes[segment] < 2:
            return "fewer than 2 systems"
        cells = self._segment_of_cell == segment
        ones = np.ones((self._cells.n, 1))
        human = (self._cells.sum(ones * self._columns[0][:, None]) / self._cells.sizes[:, None])[cells]
        return "constant human means" if np.ptp(human) == 0 else "constant scores"
