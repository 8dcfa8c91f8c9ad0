"""Intervals of bootstrap replicates: percentile, and bias-corrected and accelerated (BCa)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ...data.errors import LagerError

COVERAGE = 0.95
NO_RESAMPLES = "no resamples"
_DEFINED_ENOUGH = 0.5

IntervalKind = Literal["percentile", "bca"]
KINDS: tuple[IntervalKind, ...] = ("percentile", "bca")


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


def check_kind(kind: str) -> IntervalKind:
    """Return the kind of interval, or raise `LagerError` for an unknown one."""
    for known in KINDS:
        if kind == known:
            return known
    raise LagerError(f"unknown interval {kind!r}: choose from {', '.join(KINDS)}")


def percentile_interval(replicates: NDArray[np.floating[Any]]) -> Interval:
    """Return the 2.5 % and 97.5 % quantiles of the defined replicates (Efron & Tibshirani 1993, ch. 13).

    There is no interval when half of the resamples or more are undefined: what is left no longer describes the sample.

    Parameters
    ----------
    replicates : ndarray of shape (n_resamples,)
        NaN where the metric is undefined.
    """
    return _quantiles(replicates, (1 - COVERAGE) / 2, (1 + COVERAGE) / 2)


def bca_interval(replicates: NDArray[np.floating[Any]], point: float, jackknife: NDArray[np.floating[Any]]) -> Interval:
    """Return the BCa interval (Efron 1987; Efron & Tibshirani 1993, ch. 14.3).

    Quantiles at ``Phi(z0 + (z0 + z) / (1 - a (z0 + z)))``: z0 from the share of replicates below the estimate (ties
    count half), the acceleration a from the skewness of the jackknife values.

    Parameters
    ----------
    replicates : ndarray of shape (n_resamples,)
        NaN where the metric is undefined.
    point : float
        The estimate.
    jackknife : ndarray of shape (n_parts,)
        The estimate without each part of the sample, NaN where undefined.
    """
    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        return percentile_interval(replicates)
    tie = 1e-9 if replicates.dtype == np.float64 else 1e-6  # of replicates that are equal but for their rounding
    below = np.mean(defined < point - tie) / 2 + np.mean(defined <= point + tie) / 2
    if not 0 < below < 1:
        undefined = len(replicates) - len(defined)
        if np.ptp(defined) <= tie:
            return percentile_interval(replicates)
        return Interval(None, None, undefined, "all resamples lie on one side of the estimate")
    left_out = jackknife[~np.isnan(jackknife)].astype(np.float64)
    influence = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    scale = np.sum(influence**2) ** 1.5
    acceleration = float(np.sum(influence**3) / (6 * scale)) if scale > 0 else 0.0
    bias = float(ndtri(below))
    shifted = bias + ndtri([(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    low, high = ndtr(bias + shifted / (1 - acceleration * shifted))
    return _quantiles(replicates, float(low), float(high))


def _quantiles(replicates: NDArray[np.floating[Any]], low: float, high: float) -> Interval:
    if not len(replicates):
        return Interval(None, None, 0, NO_RESAMPLES)
    defined = replicates[~np.isnan(replicates)]
    undefined = len(replicates) - len(defined)
    if len(defined) <= _DEFINED_ENOUGH * len(replicates):
        return Interval(None, None, undefined, f"undefined in {undefined} of {len(replicates)} resamples")
    bounds = np.quantile(defined, [low, high])
    return Interval(float(bounds[0]), float(bounds[1]), undefined, None)
