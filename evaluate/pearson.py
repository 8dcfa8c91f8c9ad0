"""Pearson's r: the linear correlation of the scores themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pairing import WeightedPairing
from .weighted_sums import weighted_sums


def pearson(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return r of each segment and resample, NaN where a side is constant.

    From weighted moments of values less their segment's mean,
    ``r = (sum(wxy) - sum(wx) sum(wy) / T) / sqrt(var_x var_y)`` with ``T = sum(w)`` (Pearson 1895).

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    x, y = pair.pairing.score.centred, pair.pairing.human.centred
    sums = weighted_sums(np.stack([x, y, x * x, y * y, x * y]), pair.weights, pair.segments)
    totals = np.maximum(pair.human.totals, 1.0)
    sum_x, sum_y, sum_xx, sum_yy, sum_xy = sums
    squares = (sum_xx - sum_x**2 / totals) * (sum_yy - sum_y**2 / totals)
    return pair.ratio(sum_xy - sum_x * sum_y / totals, squares)
