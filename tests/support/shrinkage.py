"""Simulated problems in which the best layer weights are even, few, or late."""

import numpy as np
from numpy.typing import NDArray

VALUES = np.arange(1.0, 6.0)
TRUTHS = ("uniform", "sparse", "late")
N_ENTRIES = 33


def informative_layers(truth: str, rng: np.random.Generator, n_entries: int = N_ENTRIES) -> NDArray[np.float64]:
    """How clearly each layer entry shows the quality: all alike, three of them, or the last third increasingly."""
    if truth == "uniform":
        return np.full(n_entries, 0.1)
    signal = np.zeros(n_entries)
    if truth == "sparse":
        signal[rng.choice(n_entries, 3, replace=False)] = 0.6
    else:
        late = n_entries // 3
        signal[-late:] = np.linspace(0.05, 0.5, late)
    return signal


def draw_items(
    n: int, signal: NDArray[np.float64], tilt: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Draw read-outs and the means of three raters.

    Parameters
    ----------
    signal : ndarray of shape (n_entries,)
        See `informative_layers`.
    tilt : ndarray of shape (n_entries, n_labels)
        What a layer says of every item alike.
    """
    quality = rng.uniform(1, 5, n)
    logits = rng.standard_normal((n, len(signal), len(VALUES)), dtype=np.float32)
    logits += tilt.astype(np.float32)
    logits -= (signal[:, None] * (VALUES - quality[:, None, None]) ** 2).astype(np.float32)
    ratings = np.clip(np.round(quality[:, None] + rng.normal(scale=0.8, size=(n, 3))), 1, 5)
    return logits, ratings.mean(axis=1)
