"""Percentile intervals of bootstrap replicates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.95
NO_RESAMPLES = "no resamples"
_DEFINED_ENOUGH = 0.5


class Interval(NamedTuple):
    """A bootstrap interval, or why there is none.

    Parameters
    ----------
    low, high : float or None
        The bounds, None where there is no interval.
    undefined : int
        Resamples in which the metric was undefined. They are left out.
    reason : str or None
        Why there is no interval.
    """

    low: float | None
    high: float | None
    undefined: int
    reason: str | None


def percentile_interval(replicates: NDArray[np.floating[Any]]) -> Interval:
    """Return the 2.5 % and 97.5 % quantiles of the defined replicates (Efron & Tibshirani 1993, ch. 13).

    There is no interval when half of the resamples or more are undefined: what is left no longer describes the sample.

    Parameters
    ----------
    replicates : ndarray of shape (n_resamples,)
        NaN where the metric is undefined.
    """
    if not len(replicates):
        return Interval(None, None, 0, NO_RESAMPLES)
    defined = replicates[~np.isnan(replicates)]
    undefined = len(replicates) - len(defined)
    if len(defined) <= _DEFINED_ENOUGH * len(replicates):
        return Interval(None, None, undefined, f"undefined in {undefined} of {len(replicates)} resamples")
    low, high = np.quantile(defined, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Interval(float(low), float(high), undefined, None)
