"""Pairwise accuracy: of two texts for the same source, does the judge prefer the one that humans prefer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.pairing import WeightedPairing
from ..weighted.segments import Segments, runs


def pairwise_accuracy(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return the share of pairs in the human order, of each segment and resample, NaN where there is no pair.

    Pairs are of items of one cluster, those tied in the human score are left out, and one that the judge ties counts
    half: with C concordant and D discordant pairs of U, ``1/2 + (C - D) / (2 U)``. Without declared clusters all pairs
    of a segment count. A cluster that was drawn twice counts twice; its copies are not paired with each other.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    found = pair.pairing.within_clusters
    if found is None:
        surplus, pairs = pair.balance, pair.human.untied_pairs / 2
    else:
        surplus, pairs = np.zeros(pair.human.totals.shape), np.zeros(pair.human.totals.shape)
        if len(found.rows):
            drawn = pair.weights[found.rows]
            by_segment = Segments(runs(found.segment), len(found.rows))
            present = found.segment[by_segment.starts]
            surplus[present] = by_segment.sum(drawn * found.surplus[:, None])
            pairs[present] = by_segment.sum(drawn * found.pairs[:, None])
    out = np.full(pairs.shape, np.nan)
    np.divide(surplus, 2 * pairs, out=out, where=pairs > 0)
    return 0.5 + out
