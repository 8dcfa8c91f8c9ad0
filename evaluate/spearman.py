"""Spearman's rho: Pearson's correlation of mid-ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pairing import WeightedPairing


def spearman(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return rho of each segment and resample, ties at their mid-rank, NaN where a side is constant.

    With R and Q the mid-ranks less their mean and w the weights,
    ``rho = sum(w R Q) / sqrt(sum(w R**2) sum(w Q**2))`` (Spearman 1904; Kendall & Gibbons 1990, ch. 3).

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    numerator = pair.segments.dot(pair.score.ranks, pair.human.weighted_ranks)
    return pair.ratio(numerator, pair.score.rank_variance * pair.human.rank_variance)
