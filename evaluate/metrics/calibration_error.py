"""Calibration error: does a score of 3.4 mean that humans give 3.4 on average."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.pairing import WeightedPairing
from ..weighted.ranking import WeightedRanking
from ..weighted.segments import Segments

BINS = 10


def calibration_error(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return the mean distance of bin means, ``sum_b (n_b / n) |mean(x) - mean(y)|``, of each segment and resample.

    Ten bins of equal mass in the order of the judge's score. Tied scores are never parted: an item's bin is
    ``floor(10 m / T)`` with m the mass below its score and half of the mass at it. The expected calibration error of
    a regression (Guo et al. 2017, with the bins of Nguyen & O'Connor 2015).

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
        In units of the human scale; NaN where nothing was drawn.
    """
    n_segments, width = pair.human.totals.shape
    segment = pair.segments.of_row[:, None]
    cell = (segment * BINS + equal_mass_bins(pair.score, pair.segments)) * width + np.arange(width)
    error = (pair.pairing.score.values - pair.pairing.human.values)[:, None] * pair.weights
    sums = np.bincount(cell.ravel(), weights=error.ravel(), minlength=n_segments * BINS * width)
    distance = np.abs(sums).reshape(n_segments, BINS, width).sum(axis=1)
    totals = pair.human.totals
    return np.divide(distance, totals, out=np.full(totals.shape, np.nan), where=totals > 0)


def equal_mass_bins(score: WeightedRanking, segments: Segments) -> NDArray[np.intp]:
    """Return each row's bin, 0 to 9: shape (n, n_resamples)."""
    totals = np.maximum(score.totals, 1.0)
    classes = score.ranking.classes
    middle = score.centred_ranks + classes.expand(totals) / 2
    bins = np.floor(BINS * middle / classes.expand(totals)).astype(np.intp)
    return np.clip(bins, 0, BINS - 1, out=bins)[score.ranking.class_of_row]
