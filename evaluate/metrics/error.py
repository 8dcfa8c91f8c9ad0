"""Mean absolute and root mean squared error, for scores on the human scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.pairing import WeightedPairing


def mae(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``sum(w |x - y|) / sum(w)`` of each segment and resample, NaN where nothing was drawn.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
        In units of the human scale.
    """
    return pair.mean(np.abs(pair.pairing.score.values - pair.pairing.human.values))


def rmse(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``sqrt(sum(w (x - y)**2) / sum(w))`` of each segment and resample, NaN where nothing was drawn.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
        In units of the human scale.
    """
    return np.sqrt(pair.mean((pair.pairing.score.values - pair.pairing.human.values) ** 2))
