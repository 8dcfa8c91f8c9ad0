"""Kendall's tau-b: concordant less discordant pairs, corrected for ties on both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pairing import WeightedPairing


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
