"""Scores read as yes or no: at or above a threshold, on both sides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..weighted.pairing import WeightedPairing
from ..weighted.segments import weighted_sums


class YesCounts(NamedTuple):
    """Weighted counts of each segment and resample, ndarrays of shape (n_segments, n_resamples).

    Attributes
    ----------
    both, said, true : ndarray
        Items to which both say yes, the judge does, and humans do.
    """

    both: NDArray[np.float64]
    said: NDArray[np.float64]
    true: NDArray[np.float64]


def yes_counts(pair: WeightedPairing) -> YesCounts:
    """Count the yeses.

    A human score says yes when ``(score - low) / (high - low)`` on the scale reaches the threshold. A judge's score
    does likewise, on the scale or on the judge's own range of scores, where one is given.
    """
    said = pair.pairing.score.values >= pair.pairing.context.judge_bar()
    true = humans_yes(pair)
    counts = (one.astype(np.float64) for one in (said & true, said, true))
    both, judge, humans = weighted_sums(counts, pair.weights, pair.segments)
    return YesCounts(both, judge, humans)


def humans_yes(pair: WeightedPairing) -> NDArray[np.bool_]:
    """Whether humans say yes to each row: shape (n,)."""
    return pair.pairing.human.values >= pair.pairing.context.scale_bar()


def share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part over whole, NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def f1(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``2 TP / (2 TP + FP + FN)`` of each segment and resample, NaN where neither side says yes.

    Source: the paper's figure on SelfAware, at 0.75. See `yes_counts` for what a yes is.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    counts = yes_counts(pair)
    return share(2 * counts.both, counts.said + counts.true)


def precision(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``TP / (TP + FP)`` of each segment and resample, NaN where the judge never says yes.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    counts = yes_counts(pair)
    return share(counts.both, counts.said)


def recall(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``TP / (TP + FN)`` of each segment and resample, NaN where humans never say yes.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    counts = yes_counts(pair)
    return share(counts.both, counts.true)
