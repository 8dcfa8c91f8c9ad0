"""Krippendorff's alpha, interval, of the judge and the humans as two coders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...data.rounding import tie_width
from ..weighted.pairing import WeightedPairing
from ..weighted.segments import weighted_sums


def krippendorff_alpha(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``1 - observed / expected`` squared difference, NaN where all values are the same.

    For two coders of T items and v their N = 2T values: ``observed = sum((x - y)**2) / T`` and
    ``expected = 2 (N sum(v**2) - sum(v)**2) / (N (N - 1))`` (Krippendorff 2011, interval differences).

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    human = pair.pairing.human
    y = human.centred
    x = pair.pairing.score.values - (human.values - y)
    sums, squares, distance = weighted_sums(_terms(x, y), pair.weights, pair.segments)
    n = 2 * pair.human.totals
    expected = 2 * (n * squares - sums**2)
    rounding = pair.human.totals * tie_width(np.concatenate([human.values, pair.pairing.score.values])) ** 2
    varies = (distance > rounding) | (pair.human.untied_pairs > 0) | (pair.score.untied_pairs > 0)
    out = np.full(n.shape, np.nan)
    np.divide(2 * distance * (n - 1), expected, out=out, where=varies & (expected > 0))
    return 1 - out


def _terms(x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    yield x + y
    yield x * x + y * y
    yield (x - y) ** 2
