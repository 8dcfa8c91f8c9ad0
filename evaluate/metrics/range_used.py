"""How much of the scale a judge's scores span."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.pairing import WeightedPairing


def range_used(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``(max x - min x) / (scale high - scale low)`` of each segment and resample: 0 for one score for all.

    A description, with no better direction: it says nothing about agreement.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
        NaN where nothing was drawn.
    """
    labels = pair.pairing.context.on_labels()
    low, high = pair.score.extremes
    return (high - low) / (labels[-1] - labels[0])
