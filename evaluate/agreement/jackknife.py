"""Jackknife intervals and p-values: Student's t on figures without one part of the sample at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from .intervals import COVERAGE, Interval

ONE_PART = "only one cluster"
NO_VARIATION = "the figure is the same without any one cluster"
_ROUNDING = 1e-12


class Space(NamedTuple):
    """Where a figure is about normal: how it gets there and back, and between which values it lies."""

    there: Callable[[Any], Any]
    back: Callable[[Any], Any]
    least: float
    most: float


def _same(value: Any) -> Any:
    return value


def _square(root: Any) -> Any:
    return np.maximum(root, 0.0) ** 2


#: By the kind of figure: a correlation in [-1, 1], a share in [0, 1], an error from 0 on, a difference.
SPACES = {
    "correlation": Space(np.arctanh, np.tanh, -1.0, 1.0),
    "share": Space(lambda share: np.arctanh(2 * share - 1), lambda z: (np.tanh(z) + 1) / 2, 0.0, 1.0),
    "error": Space(np.log, np.exp, 0.0, np.inf),
    "mean square": Space(np.sqrt, _square, 0.0, np.inf),  # that few items make too large: on the log scale 91 % held
    "difference": Space(_same, _same, -np.inf, np.inf),
}


class Spread(NamedTuple):
    """Standard error of a figure, and the degrees of freedom that it rests on."""

    error: float
    freedom: float


def spread(point: float, left_out: NDArray[np.float64], effective: float) -> Spread:
    """Return ``sqrt(sum((z_g - z)**2))`` over the figures without a part (Efron & Tibshirani 1993, ch. 11).

    The usual factor (G - 1) / G is left out: of few parts the error is too small with it, of many it is 1.

    Parameters
    ----------
    point : float
        The figure z of the whole sample.
    left_out : ndarray of shape (n_parts,)
        The figures z_g.
    effective : float
        How many parts of equal size tell as much, see `effective_number`.
    """
    error = float(np.sqrt(np.sum((left_out - point) ** 2)))
    return Spread(error, max(1.0, min(effective, len(left_out)) - 1.0))


def effective_number(masses: NDArray[np.float64]) -> float:
    """Return ``(sum m)**2 / sum(m**2)``: unequal parts tell less than as many equal ones (Kish 1965)."""
    return float(masses.sum() ** 2 / np.sum(masses**2))


def jackknife_interval(point: float, left_out: NDArray[np.floating[Any]], effective: float, space: Space) -> Interval:
    """Return the t interval, computed where the figure is about normal.

    ``z +- t SE`` with `effective` less one degrees of freedom, transformed back (Tukey 1958; Arvesen 1969, of
    transformed statistics). A figure at an end of its range has no finite transform: it is taken as it is then, and the
    interval is cut at the ends.

    Parameters
    ----------
    point : float
        The estimate.
    left_out : ndarray of shape (n_parts,)
        The estimate without each part, NaN where undefined.
    effective : float
        See `effective_number`.
    space : Space
        Of `SPACES`.
    """
    defined = left_out[~np.isnan(left_out)].astype(np.float64)
    undefined = len(left_out) - len(defined)
    if len(left_out) < 2:
        return Interval(None, None, undefined, ONE_PART)
    if 2 * len(defined) <= len(left_out) or len(defined) < 2:
        return Interval(None, None, undefined, f"undefined without one of {undefined} of {len(left_out)} clusters")
    if np.max(np.abs(defined - point)) <= _ROUNDING * max(1.0, abs(point)):
        return Interval(None, None, undefined, NO_VARIATION)
    if min(point, defined.min()) <= space.least or max(point, defined.max()) >= space.most:
        space = Space(_same, _same, space.least, space.most)
    z = float(space.there(point))
    error, freedom = spread(z, space.there(defined), effective)
    reach = float(stdtrit(freedom, (1 + COVERAGE) / 2)) * error
    low, high = float(space.back(z - reach)), float(space.back(z + reach))
    return Interval(max(low, space.least), min(high, space.most), undefined, None)


def jackknife_p(difference: float, left_out: NDArray[np.floating[Any]], effective: float) -> float | None:
    """Return the two-sided p-value that a difference is 0, from the t of its interval; None where there is none."""
    interval = jackknife_interval(difference, left_out, effective, SPACES["difference"])
    if interval.reason == NO_VARIATION and abs(difference) <= _ROUNDING:
        return 1.0
    if interval.low is None:
        return None
    error, freedom = spread(difference, left_out[~np.isnan(left_out)].astype(np.float64), effective)
    return float(2 * stdtr(freedom, -abs(difference) / error))
