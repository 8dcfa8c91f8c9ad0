"""Labels that say little of their own spread: all the same, or nearly all the same answer of yes and no."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from .mean_estimates import MeanEstimate

Floats = NDArray[np.float64]
_FEW = 5  # clusters with the rarer answer from which on a t interval is believed
ALIKE = "its labels are all the same, which does not say how far others would be from them"
ALIKE_SHARE = "its labels are all the same: the interval is what so many clusters leave possible, without the judge"


@dataclass(frozen=True)
class AlikeLabels:
    """How labels vary in each domain, and what clusters leave possible; every array has shape (n_domains,).

    Parameters
    ----------
    same : ndarray of bool
        Whether all labels of a domain are equal.
    few : ndarray of bool
        Of shares: whether fewer than five clusters, and at most half of them, have a label of the rarer answer.
    shares : bool
        Whether labels are 0 and 1.
    """

    same: NDArray[np.bool_]
    few: NDArray[np.bool_]
    shares: bool

    @classmethod
    def of(cls, values: Floats, domain: NDArray[np.intp], cluster: NDArray[np.intp], n_domains: int) -> AlikeLabels:
        """Look at the labels: `values` is NaN where there is none."""
        there = np.isfinite(values) & (domain >= 0)
        shares = bool(np.isin(values[there], (0.0, 1.0)).all())
        same, few = np.zeros(n_domains, dtype=bool), np.zeros(n_domains, dtype=bool)
        for one in range(n_domains):
            rows = there & (domain == one)
            labels = values[rows]
            if not len(labels):
                continue
            same[one] = labels.min() == labels.max()
            rare = labels != (labels.mean() > 0.5)
            n_rare = len(np.unique(cluster[rows][rare]))
            few[one] = shares and n_rare < _FEW and 2 * n_rare <= len(np.unique(cluster[rows]))
        return cls(same, few, shares)

    def held(self, one: MeanEstimate, place: int, n_effective: float, level: float) -> MeanEstimate:
        """Return an estimate with no interval, or a share with a wider one, where labels are alike; shares in [0, 1].

        The interval of a share holds the exact one of as many independent answers as there are clusters.
        """
        if one.mean is None or one.labelled_mean is None:
            return one
        if not self.shares:
            if not self.same[place]:
                return one
            none: dict[str, Any] = dict.fromkeys(("low", "high", "labelled_low", "labelled_high", "error", "freedom"))
            return replace(one, **none, reason=one.reason or ALIKE)
        if self.few[place] and np.isfinite(n_effective) and n_effective > 1:
            low, high = exact_share(one.labelled_mean, n_effective, level)
            one = replace(
                one,
                low=min(low, low if one.low is None else one.low),
                high=max(high, high if one.high is None else one.high),
                labelled_low=min(low, low if one.labelled_low is None else one.labelled_low),
                labelled_high=max(high, high if one.labelled_high is None else one.labelled_high),
            )
        if self.same[place]:
            one = replace(one, error=None, freedom=None, reason=one.reason or ALIKE_SHARE)
        names = ("mean", "low", "high", "labelled_mean", "labelled_low", "labelled_high")
        values = {name: getattr(one, name) for name in names}
        cut: dict[str, Any] = {n: None if value is None else min(max(value, 0.0), 1.0) for n, value in values.items()}
        return replace(one, **cut)


def exact_share(share: float, n: float, level: float) -> tuple[float, float]:
    """Return Clopper and Pearson's interval of a share of n answers; neither has to be a whole number of them."""
    yes = min(max(share, 0.0), 1.0) * n
    no, tail = n - yes, (1 - level) / 2
    low = 0.0 if yes <= 0 else float(betaincinv(yes, no + 1, tail))
    return low, 1.0 if no <= 0 else float(betaincinv(yes + 1, no, 1 - tail))
