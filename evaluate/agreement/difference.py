"""Is one strategy better than another: paired differences, corrected for how many were compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
        Interval of the difference.
    p : float or None
        Two-sided p-value, from the same as the interval.
    p_holm : float or None
        The same after Holm's correction over the strategies compared in this metric.
    n : int
        Items that both scored.
    reason : str or None
        What is missing, and why.
    williams : Williams or None
        Williams' test, of Pearson's r only.
    groups, undefined_groups : int or None
        Groups averaged, in which both figures are defined, and the others; None where nothing is averaged.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    n: int
    reason: str | None = None
    williams: Williams | None = None
    groups: int | None = None
    undefined_groups: int | None = None

    @property
    def significant(self) -> bool:
        """Whether the corrected p-value is below 0.05."""
        return self.p_holm is not None and self.p_holm < SIGNIFICANT

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        out = {name: getattr(self, name) for name in ("difference", "low", "high", "p", "p_holm", "n")}
        if self.reason is not None:
            out["reason"] = self.reason
        if self.groups is not None:
            out |= {"groups": self.groups, "undefined_groups": self.undefined_groups}
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


def no_difference(n: int, reason: str) -> Difference:
    """Return an empty result."""
    return Difference(None, None, None, None, None, n, reason)
