"""Quadratically weighted kappa of nearest labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..weighted.context import nearest_label
from ..weighted.pairing import WeightedPairing
from ..weighted.segments import weighted_sums


def qwk(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``1 - observed / expected`` squared distance of label indices, NaN where none is expected.

    With a and b the indices of the nearest labels and T the items,
    ``1 - T sum(w (a - b)**2) / (T sum(w a**2) + T sum(w b**2) - 2 sum(w a) sum(w b))`` (Cohen 1968).

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    labels = pair.pairing.context.on_labels()
    a = nearest_label(pair.pairing.score.values, labels).astype(np.float64)
    b = nearest_label(pair.pairing.human.values, labels).astype(np.float64)
    totals = pair.human.totals
    sum_a, sum_b, squares, distance = weighted_sums(_terms(a, b), pair.weights, pair.segments)
    expected = totals * squares - 2 * sum_a * sum_b
    out = np.full(totals.shape, np.nan)
    np.divide(totals * distance, expected, out=out, where=expected > 0)
    return 1 - out


def _terms(a: NDArray[np.float64], b: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    yield a
    yield b
    yield a * a + b * b
    yield (a - b) ** 2
