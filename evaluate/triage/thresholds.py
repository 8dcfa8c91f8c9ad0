"""The thresholds that are tried, chosen before any label of the calibration is looked at."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from .risk_bounds import BOLDEST, Bound, hoeffding_bentkus_p

N_THRESHOLDS = 30
_FEWEST_OTHERS = 100  # items outside the calibration from which their doubts alone say where thresholds lie
_SET_APART = 0.1  # else this share of the clusters
_ALLOWED_PART = 0.5


class Evidence(NamedTuple):
    """What the calibration can tell at most, known before its labels are.

    Attributes
    ----------
    n_sums, n_items : int
        Independent sums (clusters), and items in them.
    largest : float
        The most that the weights in a sum come to, see `triage`.
    weight : float
        Mean weight of a sum.
    """

    n_sums: int
    n_items: int
    largest: float
    weight: float

    def least_share(self, *, risk: float, level: float, bound: Bound) -> float:
        """Return the least share of items decided alone of which half the risk allowed is told from all of it.

        In hundredths, 1 where none is enough.
        """
        if bound == "hoeffding-bentkus":
            share = _fewest_decided(risk, level) / self.n_items
        else:
            height = math.log(1 / level) / self.n_sums
            drift = math.sqrt(height / 2) if bound == "hoeffding" else math.expm1(height) * (1 - risk) / BOLDEST
            share = drift / (_ALLOWED_PART * risk * self.weight / self.largest)
        return min(1.0, math.ceil(round(100 * share, 9)) / 100)


def _fewest_decided(risk: float, level: float) -> int:
    """Return of how many independent items half the risk allowed is told from all of it."""
    decided = math.ceil(math.log(level) / math.log(1 - risk))  # fewer are too few without any error
    while hoeffding_bentkus_p(math.ceil(_ALLOWED_PART * risk * decided), decided, risk) > level:
        decided += max(1, decided // 50)
    return decided


def set_apart(
    usable: NDArray[np.bool_], scored: NDArray[np.bool_], cluster: NDArray[np.intp], seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows whose doubts say where thresholds lie, and those that calibrate: no row is in both.

    Parameters
    ----------
    usable : ndarray of shape (n_items,)
        Items with a label, a score and a doubt.
    scored : ndarray of shape (n_items,)
        Items with a score and a doubt.
    """
    rows, others = np.flatnonzero(usable), np.flatnonzero(scored & ~usable)
    if len(others) >= _FEWEST_OTHERS:
        return others, rows
    _, place, sizes = np.unique(cluster[rows], return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise LagerError("a threshold takes two clusters of labelled items or more, got one: label others too")
    order = np.random.default_rng(seed).permutation(len(sizes))
    held = np.cumsum(sizes[order])[:-1]
    apart = np.isin(place, order[: 1 + int(np.abs(held - _SET_APART * len(rows)).argmin())])
    return rows[apart], rows[~apart]


def choose_thresholds(
    doubt: NDArray[np.float64], evidence: Evidence, *, risk: float, level: float, bound: Bound
) -> NDArray[np.float64]:
    """Return ascending thresholds at even shares of `doubt`, the strictest one at the evidence's least share."""
    first = evidence.least_share(risk=risk, level=level, bound=bound)
    return np.unique(np.quantile(doubt, np.linspace(first, 1.0, N_THRESHOLDS), method="higher"))
