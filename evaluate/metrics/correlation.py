"""Spearman's rho, Pearson's r and Kendall's tau-b: how far scores and human scores go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.pairing import WeightedPairing


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


def kendall(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return tau-b of each segment and resample, NaN where a side is constant.

    ``tau_b = (C - D) / sqrt((P - X) (P - Y))`` with P pairs of items, X and Y of them tied in one variable
    (Kendall 1945). Exact, also under weights: O(n log m) steps per resample, m distinct human scores.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    squares = (pair.score.untied_pairs / 2) * (pair.human.untied_pairs / 2)
    return pair.ratio(pair.balance, squares)


def pearson(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return r of each segment and resample, NaN where a side is constant.

    From weighted moments of values less their segment's mean,
    ``r = (sum(wxy) - sum(wx) sum(wy) / T) / sqrt(var_x var_y)`` with ``T = sum(w)`` (Pearson 1895).

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    totals = np.maximum(pair.human.totals, 1.0)
    sum_x, sum_y, sum_xx, sum_yy, sum_xy = pair.moments
    squares = (sum_xx - sum_x**2 / totals) * (sum_yy - sum_y**2 / totals)
    return pair.ratio(sum_xy - sum_x * sum_y / totals, squares)
