"""Kullback-Leibler divergence of the judge's score histogram from the human one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.context import nearest_label
from ..weighted.pairing import WeightedPairing
from ..weighted.segments import weighted_sums


def kl(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return ``sum(p ln(p / q))`` in nats, p human and q judge, of each segment and resample.

    Histograms over the labels, each score at its nearest one, with a half added to every count, so that an empty bin
    is finite: ``p_k = (count_k + 1/2) / (T + K/2)``.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
        NaN where nothing was drawn.
    """
    labels = pair.pairing.context.on_labels()
    p, q = (_histogram(pair, side.values, labels) for side in (pair.pairing.human, pair.pairing.score))
    out = (p * np.log(p / q)).sum(axis=0)
    return np.where(pair.human.totals > 0, np.maximum(out, 0.0), np.nan)


def _histogram(pair: WeightedPairing, values: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smoothed shares: shape (n_labels, n_segments, n_resamples)."""
    nearest = nearest_label(values, labels)
    hits = ((nearest == index).astype(np.float64) for index in range(len(labels)))
    counts = weighted_sums(hits, pair.weights, pair.segments)
    return (counts + 0.5) / (pair.human.totals + len(labels) / 2)
