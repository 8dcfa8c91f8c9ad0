"""Which items to label next: drawn by doubt, with the probability of each kept, so that estimates stay right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..estimate.arrays import domains

_STRATA = 5
FLOOR = 0.5


class DrawnItems(NamedTuple):
    """Items to label.

    Parameters
    ----------
    drawn : ndarray of bool, shape (n_items,)
    probability : ndarray of shape (n_items,)
        With which an item is labelled in the end: in the pilot, or drawn now.
    stratum : ndarray of int, shape (n_items,)
        The part that it was drawn from, by system and doubt.
    """

    drawn: NDArray[np.bool_]
    probability: NDArray[np.float64]
    stratum: NDArray[np.intp]


def draw_items(
    n: int,
    human: ArrayLike,
    doubt: ArrayLike,
    *,
    judge: ArrayLike | None = None,
    system: ArrayLike | None = None,
    floor: float = FLOOR,
    seed: int = 42,
) -> DrawnItems:
    """Draw items without a label, more of those on which the judge is in doubt, the same number of each system.

    The items of a system are cut into fifths of doubt. Labels are shared out by the size of a fifth times the
    deviation of the judge's error there (Neyman 1934): with 20 labels or more that of human scores from a line on the
    judge's, its square a line in doubt; else the mean doubt; either drawn half way to the mean over fifths. No item has
    less than `floor` times the chance that it had if all had the same.

    Parameters
    ----------
    n : int
        How many to draw.
    human : array-like of shape (n_items,)
        Human scores, NaN where there is none; items with one were drawn at random.
    doubt : array-like of shape (n_items,)
        How unsure the judge is, such as the spread of several judges' scores.
    judge : array-like of shape (n_items,), optional
        Its scores, from which the pilot's errors are taken.
    system : array-like of shape (n_items,), optional
    floor : float
        From 0 to 1; 1 draws at random.
    seed : int

    Raises
    ------
    LagerError
        For more items than are left, a doubt that is no number, and a floor out of range.
    """
    values = np.asarray(human, dtype=np.float64)
    labelled = np.isfinite(values)
    given = np.asarray(doubt, dtype=np.float64)
    if given.shape != values.shape or not np.isfinite(given).all():
        raise LagerError(f"doubt has shape {given.shape}, expected a finite number for each of {len(values)} items")
    if not 0 < floor <= 1:
        raise LagerError(f"floor {floor:g}: expected a share from 0 to 1, above 0")
    left = ~labelled
    if not 1 <= n <= left.sum():
        raise LagerError(f"{n} items to draw, expected 1 to the {left.sum()} that have no label")
    _, domain = domains(system, len(values))
    stratum = _strata(given, domain)
    size = np.bincount(stratum, weights=left).astype(np.float64)
    spread = _spread(values, given, judge, stratum)
    share = _shares(n, size, spread, floor)
    counts = _whole(n, share, size)
    rng = np.random.default_rng(seed)
    drawn = np.zeros(len(values), dtype=np.bool_)
    for one in np.flatnonzero(counts):
        drawn[rng.choice(np.flatnonzero(left & (stratum == one)), int(counts[one]), replace=False)] = True
    now = np.divide(counts, size, out=np.zeros_like(size), where=size > 0)[stratum]
    before = labelled.mean()
    return DrawnItems(drawn, before + (1 - before) * now, stratum)


def _strata(doubt: NDArray[np.float64], domain: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return each item's stratum: its system, and the fifth of doubt in it; equal doubts are in one."""
    fifth = np.zeros(len(doubt), dtype=np.intp)
    for one in np.unique(domain):
        rows = np.flatnonzero(domain == one)
        cuts = np.quantile(doubt[rows], np.arange(1, _STRATA) / _STRATA)
        fifth[rows] = np.searchsorted(cuts, doubt[rows], side="left")
    return np.unique(np.stack([domain, fifth]), axis=1, return_inverse=True)[1].reshape(-1).astype(np.intp)


def _spread(
    human: NDArray[np.float64], doubt: NDArray[np.float64], judge: ArrayLike | None, stratum: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how far the judge errs in each stratum: from the pilot if that is large, else by doubt."""
    rows = np.isfinite(human)
    n_strata = int(stratum.max()) + 1
    mean_doubt = np.bincount(stratum, weights=doubt, minlength=n_strata) / np.bincount(stratum, minlength=n_strata)
    low = min(mean_doubt.min(), 0.0)
    by_doubt = mean_doubt - low
    if judge is None or rows.sum() < 20:
        return np.asarray((by_doubt + by_doubt.mean()) / 2) if by_doubt.max() > 0 else np.ones(n_strata)
    scores = np.asarray(judge, dtype=np.float64)[rows]
    line = np.polyfit(scores, human[rows], 1) if np.ptp(scores) > 0 else (0.0, human[rows].mean())
    squared = (human[rows] - np.polyval(line, scores)) ** 2
    # the error's square as a line in doubt: a few dozen labels say no more than that
    slope, start = np.polyfit(doubt[rows], squared, 1) if np.ptp(doubt[rows]) > 0 else (0.0, squared.mean())
    fitted = np.sqrt(np.maximum(start + slope * mean_doubt, 0.25 * squared.mean()))
    return np.asarray((fitted + fitted.mean()) / 2)


def _shares(n: int, size: NDArray[np.float64], spread: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Return the labels of each stratum, not whole: by size and spread, between the floor and all its items."""
    by_spread = size * spread if (size * spread).sum() > 0 else size
    low, high = floor * n * size / size.sum(), size
    return _bounded(n, by_spread, low, high)


def _bounded(
    total: float, part: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return shares of a total in proportion to parts, each cut at its bounds: the proportion is found by bisection."""

    def cut(factor: float) -> NDArray[np.float64]:
        return np.clip(factor * part, low, high)

    least, most = 0.0, 1.0
    while cut(most).sum() < total * (1 - 1e-12) and most < 1e18:
        most *= 2
    for _ in range(100):
        middle = (least + most) / 2
        least, most = (middle, most) if cut(middle).sum() < total else (least, middle)
    return cut(most)


def _whole(n: int, share: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return whole numbers that add up to n, the largest parts rounded up."""
    counts = np.floor(share + 1e-9)
    order = np.argsort(-(share - counts), kind="stable")
    for place in [one for one in order if counts[one] < size[one]][: round(n - counts.sum())]:
        counts[place] += 1
    return counts
