"""Williams' test: do two judges' Pearson correlations with the same human scores differ."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr


class Williams(NamedTuple):
    """The test of two judges; None throughout, with a reason, where it does not apply."""

    t: float | None
    df: int | None
    p: float | None
    p_holm: float | None = None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        out = {"t": self.t, "df": self.df, "p": self.p, "p_holm": self.p_holm}
        return out if self.reason is None else out | {"reason": self.reason}


def not_applicable(reason: str) -> Williams:
    """Return an empty result."""
    return Williams(None, None, None, None, reason)


def williams_test(r12: float, r13: float, r23: float, n: int) -> Williams:
    """Test ``r12 = r13``, two correlations that share variable 1, two-sided with n - 3 degrees of freedom.

    ``t = (r12 - r13) sqrt((n - 1)(1 + r23) / (2 K (n - 1)/(n - 3) + ((r12 + r13)/2)**2 (1 - r23)**3))`` with
    ``K = 1 - r12**2 - r13**2 - r23**2 + 2 r12 r13 r23`` (Williams 1959; Steiger 1980, eq. 7). It assumes items that are
    independent and normal, so it is for pooled figures without clusters only.
    """
    if n < 4:
        return not_applicable(f"{n} items, it needs 4")
    k = 1 - r12**2 - r13**2 - r23**2 + 2 * r12 * r13 * r23
    spread = 2 * max(k, 0.0) * (n - 1) / (n - 3) + ((r12 + r13) / 2) ** 2 * (1 - r23) ** 3
    if spread < 1e-12:
        return not_applicable("the two judges' scores agree but for scale and offset")
    t = (r12 - r13) * math.sqrt((n - 1) * (1 + r23) / spread)
    return Williams(t, n - 3, float(2 * stdtr(n - 3, -abs(t))))


def williams_of(human: NDArray[np.float64], score: NDArray[np.float64], baseline: NDArray[np.float64]) -> Williams:
    """Return the test from the scores themselves, each an ndarray of shape (n_items,)."""
    if len(human) < 4 or any(np.ptp(values) == 0 for values in (human, score, baseline)):
        return not_applicable("fewer than 4 items, or constant scores")
    r = np.corrcoef([human, score, baseline])
    return williams_test(float(r[0, 1]), float(r[0, 2]), float(r[1, 2]), len(human))
