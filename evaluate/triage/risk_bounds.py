"""p-values that the risk of a rule is above what is allowed, from independent sums or items; small where it is below.

Each is valid for any distribution, at any sample size: under the hypothesis it is below p with probability p at most.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, xlogy

Bound = Literal["betting", "hoeffding", "hoeffding-bentkus"]
BOUNDS: tuple[str, ...] = get_args(Bound)
#: Part of the largest bet that cannot lose everything.
BOLDEST = 0.95


def betting_p(excess: NDArray[np.float64], risk: float, level: float) -> float:
    """Return the p-value of the mean excess being above 0, by a gambler's largest fortune (Ville 1939).

    The gambler bets against each sum in turn, as Waudby-Smith & Ramdas (2024) choose the bets, and could not win in
    the mean under the hypothesis. `level` is the p-value that the bets aim at; the answer is valid at every one.

    Parameters
    ----------
    excess : ndarray of shape (n_sums,)
        Independent, each between -risk and 1 - risk, in an order that does not hang on them.
    """
    n = len(excess)
    loss = excess + risk
    seen = np.arange(2, n + 2)
    mean = (0.5 * risk + np.cumsum(loss)) / seen
    variance = (0.25 * risk + np.cumsum((loss - mean) ** 2)) / seen
    known = np.append(0.25 * risk, variance[:-1])  # before the sum that is bet on
    bet = np.minimum(np.sqrt(2 * np.log(1 / level) / (n * known)), BOLDEST / (1 - risk))
    fortune = np.cumsum(np.log1p(-bet * excess))
    return float(np.exp(-max(0.0, fortune.max(initial=0.0))))


def hoeffding_p(excess: NDArray[np.float64]) -> float:
    """Return ``exp(-2 n m**2)`` of the mean excess m below 0, else 1 (Hoeffding 1963); sums lie within a range of 1."""
    return float(np.exp(-2 * len(excess) * min(0.0, float(excess.mean())) ** 2))


def hoeffding_bentkus_p(errors: int, decided: int, risk: float) -> float:
    """Return the p-value of so many errors or fewer in independent items (Angelopoulos et al. 2021, section 3.2).

    The smaller of the binomial tail and of Hoeffding's bound with the Kullback-Leibler distance; of errors that are
    right or wrong the first is exact.
    """
    if decided == 0:
        return 1.0
    rate = min(errors / decided, risk)
    distance = xlogy(rate, rate / risk) + xlogy(1 - rate, (1 - rate) / (1 - risk))
    return float(min(bdtr(errors, decided, risk), np.exp(-decided * distance)))
