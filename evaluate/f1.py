"""F1 of a yes: the harmonic mean of precision and recall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pairing import WeightedPairing
from .yes_no import share, yes_counts


def f1(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``2 TP / (2 TP + FP + FN)`` of each segment and resample, NaN where neither side says yes.

    Source: the paper's figure on SelfAware, at 0.75. See `yes_counts` for what a yes is.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    counts = yes_counts(pair)
    return share(2 * counts.both, counts.said + counts.true)
