"""How many labels would find a threshold, from what was seen where none was found."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from .cluster_sums import ClusterSums
from .risk_bounds import BOLDEST, Bound

#: How often so many labels find a threshold, were the population what was seen.
POWER = 0.8
_BETS = np.linspace(0.02, 1.0, 50) * BOLDEST
_TIMES = 1.1 ** np.arange(1, 97)  # up to 9,000 times


def labels_needed(
    sums: ClusterSums, doubt: NDArray[np.float64], *, risk: float, level: float, bound: Bound, given: bool
) -> float | None:
    """Return how many times the labels would find a threshold; None where no number would.

    With more labels the sequence begins at a stricter threshold: the number is the least that is enough where the
    sequence of so many begins.

    Parameters
    ----------
    doubt : ndarray
        What thresholds are chosen from, or the thresholds that were `given`.
    """
    if not given and not sums.ever_below(risk):
        return None
    ordered, known = np.sort(doubt), dict[float, float | None]()
    for times in _TIMES:
        n_sums, n_items = int(times * sums.evidence.n_sums), int(times * sums.evidence.n_items)
        more = sums.evidence._replace(n_sums=n_sums, n_items=n_items)
        share = 0.0 if given else more.least_share(risk=risk, level=level, bound=bound)
        first = ordered[max(0, math.ceil(round(share * len(ordered), 9)) - 1)]
        if first not in known:
            excess = next(sums.steps(np.array([first]), risk=risk, level=level, bound=bound))[1]
            known[first] = _sums_needed(excess, risk=risk, level=level, bound=bound)
        needed = known[first]
        if needed is not None and needed <= n_sums:
            return float(times)
    return None


def _sums_needed(excess: NDArray[np.float64], *, risk: float, level: float, bound: Bound) -> float | None:
    """Return how many sums one threshold takes: where the normal drift of its evidence is past the level."""
    mean, spread = float(excess.mean()), float(excess.std())
    if mean >= 0.0:
        return None
    reach = float(ndtri(POWER))
    if bound == "betting":
        gains = np.log1p(-_BETS[:, None] / (1 - risk) * excess)
        return min(_crossing(float(g.mean()), float(g.std()), math.log(1 / level), reach) for g in gains)
    if bound == "hoeffding":  # the mean has to be so far below 0 that exp(-2 n m**2) is the level
        return ((math.sqrt(math.log(1 / level) / 2) + reach * spread) / -mean) ** 2
    if (excess <= 0.0).all():  # no error was seen
        share = float((excess < 0.0).mean())
        return math.log(level) / math.log(1 - risk) / share
    under = math.sqrt(risk * (1 - risk) * float((excess != 0.0).mean()))
    return ((-float(ndtri(level)) * under + reach * spread) / -mean) ** 2


def _crossing(drift: float, spread: float, height: float, reach: float) -> float:
    """Return n at which ``n drift - reach sqrt(n) spread`` is `height`, infinite where it never is."""
    if drift <= 0.0:
        return math.inf
    root = (reach * spread + math.sqrt((reach * spread) ** 2 + 4 * drift * height)) / (2 * drift)
    return root**2
