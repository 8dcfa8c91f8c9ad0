"""F1 of a yes: a score at or above a threshold, on both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pairing import WeightedPairing
from .weighted_sums import weighted_sums


def f1(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``2 TP / (2 TP + FP + FN)`` of each segment and resample, NaN where neither side says yes.

    A score says yes when ``(score - low) / (high - low)`` on the scale reaches the threshold, a human score likewise
    (paper, SelfAware: 0.75).

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    labels, share = pair.pairing.context.on_labels(), pair.pairing.context.threshold
    bar = labels[0] + share * (labels[-1] - labels[0])
    said = pair.pairing.score.values >= bar
    true = pair.pairing.human.values >= bar
    counts = np.stack([said & true, said.astype(np.intp) + true]).astype(np.float64)
    both, either = weighted_sums(counts, pair.weights, pair.segments)
    return np.divide(2 * both, either, out=np.full(either.shape, np.nan), where=either > 0)
