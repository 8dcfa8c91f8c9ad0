"""Pearson's r: the linear correlation of the scores themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pairing import WeightedPairing


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
