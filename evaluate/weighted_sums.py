"""Weighted sums of item values, for every segment and resample in one matrix product each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .segments import Segments


def weighted_sums(
    values: Iterable[NDArray[np.float64]], weights: NDArray[np.float64], segments: Segments
) -> NDArray[np.float64]:
    """Return ``sum(w * value)`` over the rows of each segment.

    Parameters
    ----------
    values : iterable of n_values ndarrays of shape (n,)
        For one set of weights, one after the other is asked for and let go.
    weights : ndarray of shape (n, n_resamples)
    segments : Segments

    Returns
    -------
    ndarray of shape (n_values, n_segments, n_resamples)
    """
    if weights.shape[1] == 1:
        sums = [np.add.reduceat(one * weights[:, 0], segments.starts) for one in values]
        return np.array(sums)[:, :, None]
    matrix = np.stack(list(values))
    bounds = zip(segments.starts, segments.starts + segments.sizes, strict=True)
    return np.stack([matrix[:, start:end] @ weights[start:end] for start, end in bounds], axis=1)
