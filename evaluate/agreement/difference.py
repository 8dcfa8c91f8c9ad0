"""Is one strategy better than another: paired bootstrap differences, corrected for how many were compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intervals import NO_RESAMPLES, Interval
from .williams import Williams

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Difference:
    """How much a strategy's figure exceeds the baseline's, on the same items and the same draws.

    Parameters
    ----------
    difference : float or None
        The strategy's figure less the baseline's; None where one is undefined.
    low, high : float or None
        Bootstrap interval of the difference.
    p : float or None
        Two-sided bootstrap p-value.
    p_holm : float or None
        The same after Holm's correction over the strategies compared in this metric.
    n : int
        Items that both scored.
    reason : str or None
        What is missing, and why.
    williams : Williams or None
        Williams' test, of Pearson's r only.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    n: int
    reason: str | None = None
    williams: Williams | None = None

    @property
    def significant(self) -> bool:
        """Whether the corrected p-value is below 0.05."""
        return self.p_holm is not None and self.p_holm < SIGNIFICANT

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        out = {name: getattr(self, name) for name in ("difference", "low", "high", "p", "p_holm", "n")}
        if self.reason is not None:
            out["reason"] = self.reason
        if self.williams is not None:
            out["williams"] = self.williams.as_json()
        return out


@dataclass(frozen=True)
class Comparison:
    """Every strategy against one baseline.

    Parameters
    ----------
    baseline : str
        The strategy that the others are compared with.
    level : str
        The level of the figures.
    differences : mapping of str to mapping of str to Difference
        By strategy and metric; the baseline itself is not among them.
    """

    baseline: str
    level: str
    differences: Mapping[str, Mapping[str, Difference]]

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "baseline": self.baseline,
            "level": self.level,
            "correction": "holm",
            "significant_below": SIGNIFICANT,
            "results": [
                {"strategy": name, **{metric: one.as_json() for metric, one in metrics.items()}}
                for name, metrics in self.differences.items()
            ],
        }


def bootstrap_p(differences: NDArray[np.float64]) -> float | None:
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


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979): step-down, never below a smaller one's."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    out, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        out[index] = floor
    return out


def corrected(
    differences: Mapping[str, Mapping[str, Difference]], metrics: Sequence[str]
) -> dict[str, dict[str, Difference]]:
    """Fill in Holm's correction, for each metric over the strategies that have a p-value; Williams' test likewise."""
    out = {name: dict(of_metric) for name, of_metric in differences.items()}
    for metric in metrics:
        named = {name: p for name, one in out.items() if (p := one[metric].p) is not None}
        for name, p in zip(named, holm(list(named.values())), strict=True):
            out[name][metric] = replace(out[name][metric], p_holm=p)
        tests = {name: one[metric].williams for name, one in out.items()}
        tested = {name: test.p for name, test in tests.items() if test is not None and test.p is not None}
        for name, p in zip(tested, holm(list(tested.values())), strict=True):
            if (test := tests[name]) is not None:
                out[name][metric] = replace(out[name][metric], williams=test._replace(p_holm=p))
    return out


def difference(
    figure: float | None, baseline: float | None, replicates: NDArray[np.float64], interval: Interval, *, n: int
) -> Difference:
    """Return an uncorrected difference from two figures and the differences of their replicates."""
    if figure is None or baseline is None:
        missing = "the baseline's figure" if baseline is None else "the figure"
        return Difference(None, None, None, None, None, n, f"{missing} is undefined")
    p = bootstrap_p(replicates) if interval.low is not None else None
    reason = interval.reason if interval.reason != NO_RESAMPLES else "no resamples: no test"
    return Difference(figure - baseline, interval.low, interval.high, p, None, n, reason)
