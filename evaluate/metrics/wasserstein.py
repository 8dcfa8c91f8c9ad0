"""Wasserstein distance between the distribution of the judge's scores and the human one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.pairing import WeightedPairing
from ..weighted.ranking import all_once
from ..weighted.segments import Segments, cumulate, weighted_sums


def wasserstein(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return the area between the two cumulative distributions, of each segment and resample.

    ``W1 = integral |F(v) - G(v)| dv``: how far scores have to be moved, on average, to become the human ones'
    distribution, whichever items they belong to (Vallender 1974).

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
        In units of the human scale; NaN where nothing was drawn.
    """
    segments = pair.segments
    if all_once(pair.weights):
        # Everything once: the k-th smallest score of one side moves to the k-th smallest of the other.
        sides = (pair.pairing.score, pair.pairing.human)
        moved = np.subtract(*(side.values[side.order] for side in sides))
        return np.add.reduceat(np.abs(moved), segments.starts)[:, None] / segments.sizes[:, None]
    values = np.concatenate([pair.pairing.score.values, pair.pairing.human.values])
    of_row = np.tile(segments.of_row, 2)
    order = np.lexsort((values, of_row))
    step = np.diff(values[order], append=0.0)
    both = Segments(2 * segments.starts, 2 * segments.n)
    step[both.starts + both.sizes - 1] = 0.0  # nothing is left over at a segment's end
    signed = np.concatenate([pair.weights, -pair.weights])
    gap = np.abs(cumulate(signed, order)[1:])
    area = weighted_sums((step,), gap, both)[0]
    totals = pair.human.totals
    return np.divide(area, totals, out=np.full(totals.shape, np.nan), where=totals > 0)
