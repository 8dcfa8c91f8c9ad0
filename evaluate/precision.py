"""Precision of a yes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pairing import WeightedPairing
from .yes_no import share, yes_counts


def precision(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``TP / (TP + FP)`` of each segment and resample, NaN where the judge never says yes.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    counts = yes_counts(pair)
    return share(counts.both, counts.said)
