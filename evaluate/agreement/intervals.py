"""Intervals and p-values of bootstrap replicates: percentile, and bias-corrected and accelerated (BCa)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ...data.errors import LagerError

COVERAGE = 0.95
NO_RESAMPLES = "no resamples"
_DEFINED_ENOUGH = 0.5

IntervalKind = Literal["jackknife", "percentile", "bca"]
KINDS: tuple[IntervalKind, ...] = ("jackknife", "percentile", "bca")
DEFAULT_INTERVAL: IntervalKind = "jackknife"


class Interval(NamedTuple):
    """An interval, or why there is none.

    Parameters
    ----------
    low, high : float or None
        The bounds, None where there is no interval.
    undefined : int
        Resamples, or parts left out, for which the metric was undefined. They do not count.
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
    bias = _bias(defined, point)
    if not np.isfinite(bias):
        if np.ptp(defined) <= _tie(replicates):
            return percentile_interval(replicates)
        return Interval(None, None, len(replicates) - len(defined), "all resamples lie on one side of the estimate")
    shifted = bias + ndtri([(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    low, high = ndtr(bias + shifted / (1 - _acceleration(jackknife) * shifted))
    return _quantiles(replicates, float(low), float(high))


def percentile_p(differences: NDArray[np.floating[Any]]) -> float | None:
    """Return the two-sided p-value that the difference is 0, None where no resample defines it.

    ``2 min((#{d <= 0} + 1) / (B + 1), (#{d >= 0} + 1) / (B + 1))``, at most 1 (Davison & Hinkley 1997, section 4.2).

    Parameters
    ----------
    differences : ndarray of shape (n_resamples,)
        NaN where a figure is undefined.
    """
    defined = differences[~np.isnan(differences)]
    if not len(defined):
        return None
    tail = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    return float(min(1.0, 2 * (tail + 1) / (len(defined) + 1)))


def bca_p(differences: NDArray[np.floating[Any]], point: float, jackknife: NDArray[np.floating[Any]]) -> float | None:
    """Return the p-value at which the BCa interval of a difference ends at 0; None where there is no such interval.

    0 lies at one quantile of the replicates, between 1 / (2 (B + 1)) and one less that; the level of the interval that
    ends there follows from the formula of `bca_interval`, solved for z.
    """
    defined = differences[~np.isnan(differences)]
    if not len(defined):
        return None
    bias = _bias(defined, point)
    if not np.isfinite(bias):
        return 1.0 if np.ptp(defined) <= _tie(differences) and abs(point) <= _tie(differences) else None
    edge = 0.5 / (len(defined) + 1)
    zeros = (np.count_nonzero(defined < 0) + np.count_nonzero(defined <= 0)) / 2
    at_zero = float(np.interp(0.0, np.sort(defined), np.linspace(0.0, 1.0, len(defined))))
    at_zero = zeros / len(defined) if (defined == 0).any() else at_zero
    end = float(ndtri(min(max(at_zero, edge), 1.0 - edge))) - bias
    stretched = 1 + _acceleration(jackknife) * end
    if stretched <= 0:  # beyond the last level that the formula knows
        return 2 / (len(defined) + 1)
    tail = float(ndtr(-abs(end / stretched - bias)))
    return min(1.0, max(2 * tail, 2 / (len(defined) + 1)))


def _tie(replicates: NDArray[np.floating[Any]]) -> float:
    """Return how far apart replicates may be that are equal but for their rounding."""
    return 1e-9 if replicates.dtype == np.float64 else 1e-6


def _bias(defined: NDArray[np.floating[Any]], point: float) -> float:
    """Return BCa's z0, infinite where all replicates lie on one side of the estimate."""
    tie = _tie(defined)
    return float(ndtri(np.mean(defined < point - tie) / 2 + np.mean(defined <= point + tie) / 2))


def _acceleration(jackknife: NDArray[np.floating[Any]]) -> float:
    """Return BCa's a, from the skewness of the jackknife values."""
    left_out = jackknife[~np.isnan(jackknife)].astype(np.float64)
    influence = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    scale = np.sum(influence**2) ** 1.5
    return float(np.sum(influence**3) / (6 * scale)) if scale > 0 else 0.0


def _quantiles(replicates: NDArray[np.floating[Any]], low: float, high: float) -> Interval:
    if not len(replicates):
        return Interval(None, None, 0, NO_RESAMPLES)
    defined = replicates[~np.isnan(replicates)]
    undefined = len(replicates) - len(defined)
    if len(defined) <= _DEFINED_ENOUGH * len(replicates):
        return Interval(None, None, undefined, f"undefined in {undefined} of {len(replicates)} resamples")
    bounds = np.quantile(defined, [low, high])
    return Interval(float(bounds[0]), float(bounds[1]), undefined, None)
