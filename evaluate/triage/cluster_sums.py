"""The sums over clusters that a threshold is tested by, and what is seen at one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .risk_bounds import Bound, betting_p, hoeffding_bentkus_p, hoeffding_p
from .thresholds import Evidence

Unit = Literal["item", "cluster"]


@dataclass(frozen=True)
class Step:
    """One threshold that was tried.

    Parameters
    ----------
    threshold : float
        Items of this doubt or less are decided alone.
    decided, errors : int
        Items of the calibration decided alone, and large errors among them.
    share : float
        Decided items of all.
    risk : float or None
        The estimand in the calibration; None where nothing is decided.
    p : float
        p-value that the risk is above the one that is allowed.
    """

    threshold: float
    decided: int
    errors: int
    share: float
    risk: float | None
    p: float


@dataclass(frozen=True)
class ClusterSums:
    """Items that calibrate, those of least doubt first; `place` is each item's sum, `weight` what it counts there."""

    wrong: NDArray[np.float64]
    doubt: NDArray[np.float64]
    place: NDArray[np.intp]
    weight: NDArray[np.float64]
    n: int
    n_capped: int
    evidence: Evidence

    @classmethod
    def of(
        cls,
        wrong: NDArray[np.float64],
        doubt: NDArray[np.float64],
        cluster: NDArray[np.intp],
        *,
        unit: Unit,
        largest: int | None,
        seed: int,
    ) -> ClusterSums:
        """Return the items with their sums in a random order, which hangs on no label."""
        _, place, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
        n = len(sizes)
        cap = 1.0 if unit == "cluster" else float(largest or sizes.max())
        weight = np.minimum(1.0, cap / sizes)[place]
        evidence = Evidence(n, len(wrong), cap, float(weight.sum() / n))
        place = np.random.default_rng(seed).permutation(n)[place]
        rows = np.argsort(doubt, kind="stable")
        return cls(wrong[rows], doubt[rows], place[rows], weight[rows], n, int((sizes > cap).sum()), evidence)

    def ever_below(self, risk: float) -> bool:
        """Return whether any threshold that keeps a hundredth of the items has less risk here than is allowed."""
        excess = np.cumsum(self.weight * (self.wrong - risk))
        return bool((excess[len(excess) // 100 :] < 0).any())

    def steps(
        self, thresholds: NDArray[np.float64], *, risk: float, level: float, bound: Bound
    ) -> Iterator[tuple[Step, NDArray[np.float64]]]:
        """Yield each ascending threshold's figures, and the excess of each sum, between -risk and 1 - risk."""
        excess, done = np.zeros(self.n), 0
        counted = self.weight * (self.wrong - risk) / self.evidence.largest
        for threshold, end in zip(thresholds, np.searchsorted(self.doubt, thresholds, side="right"), strict=True):
            excess = excess + np.bincount(self.place[done:end], counted[done:end], self.n)
            done = int(end)
            weight, wrong = self.weight[:done], self.wrong[:done]
            errors = int(wrong.sum())
            seen = float(weight @ wrong / weight.sum()) if done else None
            if bound == "hoeffding-bentkus":
                p = hoeffding_bentkus_p(errors, done, risk)
            elif bound == "hoeffding":
                p = hoeffding_p(excess)
            else:
                p = betting_p(excess, risk, level)
            yield Step(float(threshold), done, errors, done / len(self.wrong), seen, p), excess
