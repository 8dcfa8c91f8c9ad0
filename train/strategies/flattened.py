"""The flattened read-out as features of a regression: one column per layer entry and label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.strategy_names import LayerOptions
from .labelled import used_logits


class Features(NamedTuple):
    """Standardised features, and what brings coefficients back to logits."""

    columns: NDArray[np.float64]
    """ndarray of shape (n_items, n_used_entries * n_labels), mean 0 and deviation 1 (0 where constant)."""
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    """ndarray of shape (n_used_entries * n_labels,)."""
    shape: tuple[int, int]
    """n_used_entries, n_labels."""

    def on_logits(self, coefficients: NDArray[np.float64], n_entries: int) -> tuple[NDArray[np.float64], float]:
        """Return the coefficients of the logits themselves, 0 for entries not used, and the constant to add.

        The constant of each item and layer has been taken out of the features; taking it out of the coefficients
        instead gives the same scores.

        Returns
        -------
        ndarray of shape (n_entries, n_labels)
        float
        """
        raw = coefficients / self.deviation
        by_layer = raw.reshape(self.shape)
        out = np.zeros((n_entries, self.shape[1]))
        out[: self.shape[0]] = by_layer - by_layer.mean(axis=1, keepdims=True)
        return out, -float(self.mean @ raw)


def standardised(train: Readouts, options: LayerOptions, weight: NDArray[np.float64]) -> Features:
    """Return the features of training items.

    A constant per item and layer is no information under softmax and is taken out.

    Parameters
    ----------
    weight : ndarray of shape (n_items,)
        How much each item counts; sum 1.
    """
    logits = used_logits(train, options).astype(np.float64)
    logits = logits - logits.mean(axis=2, keepdims=True)
    columns = logits.reshape(len(logits), -1)
    mean = weight @ columns
    columns = columns - mean
    deviation = np.sqrt(weight @ columns**2)
    # What is left of a constant column is rounding, not signal.
    constant = deviation <= 1e-12 * np.abs(mean)
    deviation[constant | (deviation == 0.0)] = 1.0
    columns[:, constant] = 0.0
    columns /= deviation
    return Features(columns, mean, deviation, (logits.shape[1], logits.shape[2]))
