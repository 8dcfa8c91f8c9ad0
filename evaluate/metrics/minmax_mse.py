"""Mean squared error after both sides are stretched to 0..1, the paper's measure of how distributions match."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.pairing import WeightedPairing


def minmax_mse(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return the mean of ``(x' - y')**2`` with ``x' = (x - min) / (max - min)``, NaN where a side is constant.

    Minimum and maximum are those of the items drawn (paper, Table 3).

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    sum_x, sum_y, sum_xx, sum_yy, sum_xy = pair.moments
    totals = pair.human.totals
    (low_x, range_x), (low_y, range_y) = (_origin(side) for side in (pair.score.extremes, pair.human.extremes))
    defined = pair.defined & (range_x > 0) & (range_y > 0)
    one = np.ones_like(totals)
    a, b = np.where(defined, range_x, one), np.where(defined, range_y, one)
    squares_x = (sum_xx - 2 * low_x * sum_x + low_x**2 * totals) / a**2
    squares_y = (sum_yy - 2 * low_y * sum_y + low_y**2 * totals) / b**2
    products = (sum_xy - low_x * sum_y - low_y * sum_x + low_x * low_y * totals) / (a * b)
    squares = np.maximum(squares_x - 2 * products + squares_y, 0.0)
    return np.where(defined, squares / np.maximum(totals, 1.0), np.nan)


def _origin(
    extremes: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the minimum and the range."""
    low, high = extremes
    return low, high - low
