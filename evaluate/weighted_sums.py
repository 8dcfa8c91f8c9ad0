"""Weighted sums of item values, for every segment and resample in one matrix product each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .segments import Segments


def weighted_sums(values: NDArray[np.float64], weights: NDArray[np.float64], segments: Segments) -> NDArray[np.float64]:
    """Return ``sum(w * value)`` over the rows of each segment.

    Parameters
    ----------
    values : ndarray of shape (n_values, n)
    weights : ndarray of shape (n, n_resamples)
    segments : Segments

    Returns
    -------
    ndarray of shape (n_values, n_segments, n_resamples)
    """
    if weights.shape[1] == 1:
        return np.add.reduceat(values * weights[:, 0], segments.starts, axis=1)[:, :, None]
    bounds = zip(segments.starts, segments.starts + segments.sizes, strict=True)
    return np.stack([values[:, start:end] @ weights[start:end] for start, end in bounds], axis=1)
