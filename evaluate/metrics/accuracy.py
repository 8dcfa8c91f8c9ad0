"""Accuracy: how often the judge's nearest label is the human one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.context import nearest_label
from ..weighted.pairing import WeightedPairing


def accuracy(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return the share of items whose two scores have the same nearest label, of each segment and resample.

    A score halfway between two labels goes to the lower one.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    labels = pair.pairing.context.on_labels()
    score, human = (nearest_label(side.values, labels) for side in (pair.pairing.score, pair.pairing.human))
    return pair.mean((score == human).astype(np.float64))
