"""Which numbers are equal but for rounding: means of raters, and scores read in single precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Scores nearer to each other than this share of the largest absolute score tie: four roundings of single precision.
TIE = 2.0**-22
_DIGITS = 12  # of the largest mean; double precision keeps 15


def rounded_means(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means without the digits that hang on the order of summation, so that equal ones are equal.

    Parameters
    ----------
    means : ndarray of shape (n,)
        NaN where there is none.
    """
    largest = float(np.nanmax(np.abs(means), initial=0.0, where=np.isfinite(means)))
    if largest == 0.0:
        return means
    return np.round(means, _DIGITS - 1 - int(np.floor(np.log10(largest))))


def tie_width(values: NDArray[np.float64]) -> float:
    """Return how far apart values may be that tie, see `TIE`."""
    return TIE * max(float(np.max(values, initial=0.0)), -float(np.min(values, initial=0.0)))


def class_starts(ordered: NDArray[np.float64], new: NDArray[np.bool_], width: float) -> NDArray[np.intp]:
    """Return where classes of ties start among sorted values, an ndarray of shape (n_classes,).

    Neighbours no further apart than `width` are in one class when the whole chain of them is no wider than that.
    A wider chain, as many items make, is cut on a grid of that width: a class is never wider, and nothing is compared
    pair by pair.

    Parameters
    ----------
    ordered : ndarray of shape (n,)
        Ascending within each segment.
    new : ndarray of shape (n,)
        Where segments start, at the first row above all.
    width : float
        0 for values that tie only when they are equal.
    """
    starts = np.flatnonzero(_apart(ordered, width) | new)
    spans = ordered[np.append(starts[1:], len(ordered)) - 1] - ordered[starts] if len(starts) else ordered
    if width > 0.0 and bool((spans > width).any()):
        wide = np.repeat(spans > width, np.diff(starts, append=len(ordered)))
        cut = wide & _apart(np.rint(ordered / width), 0.0)
        cut[starts] = True
        starts = np.flatnonzero(cut)
    return starts


def tie_classes(values: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return each value's class of ties, numbered in ascending order, and how many values each class has."""
    order = np.argsort(values)
    new = np.zeros(len(values), dtype=np.bool_)
    new[:1] = True
    counts = np.diff(class_starts(values[order], new, tie_width(values)), append=len(values))
    place = np.empty(len(values), dtype=np.intp)
    place[order] = np.repeat(np.arange(len(counts)), counts)
    return place, counts


def _apart(ordered: NDArray[np.float64], width: float) -> NDArray[np.bool_]:
    """Return whether each value lies further than a width above the one before it."""
    out = np.zeros(len(ordered), dtype=np.bool_)
    out[1:] = np.diff(ordered) > width
    return out
