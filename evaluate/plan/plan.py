"""How many labels a question needs, from stated numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from ...data.errors import LagerError
from .design import Design, labels_for_power, labels_for_width
from .variance_parts import VarianceParts

#: What may be asked, and what its target is.
GOALS = {
    "mean": "the half-width of a system's mean",
    "difference": "the distance of two systems' means",
    "agreement": "the half-width of a correlation",
    "non-inferiority": "the margin",
}
#: Where a judge's scores cannot stand for labels: the figure is about the judge itself.
NO_HELP = ("agreement", "non-inferiority")
#: The note of a plan from stated numbers without a judge.
NO_JUDGE = "no judge: its correlation with human scores is not stated, or 0 (--correlation)"


@dataclass(frozen=True)
class PlannedLabels:
    """Labels that a question needs.

    Parameters
    ----------
    goal : str
        From `GOALS`.
    target : float
    alone, with_judge : int or None
        From labels alone and with the judge's help: of each system for means and differences, else in all. None where
        all items together do not reach the target; `with_judge` also for `NO_HELP`, and where `notes` has `NO_JUDGE`.
    alone_low, alone_high, with_judge_low, with_judge_high : int or None
        Ends of the interval of a pilot's answer; at the upper one the target is reached most of the times.
    n_systems : int
        Each of which needs as many labels, for means and differences.
    notes : tuple of str
    """

    goal: str
    target: float
    alone: int | None
    with_judge: int | None
    alone_low: int | None = None
    alone_high: int | None = None
    with_judge_low: int | None = None
    with_judge_high: int | None = None
    n_systems: int = 1
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self)


def plan_labels(
    goal: str,
    target: float,
    *,
    sd: float = 1.0,
    correlation: float = 0.0,
    likeness: float = 0.0,
    per_cluster: float = 1.0,
    n_items: float = float("inf"),
    n_clusters: float | None = None,
    expected: float = 0.0,
    level: float = 0.95,
    power: float = 0.8,
) -> PlannedLabels:
    """Return how many labels of each system a question needs, from what is known beforehand.

    Parameters
    ----------
    goal : {"mean", "difference", "agreement", "non-inferiority"}
        A system's mean within plus and minus `target`; two systems told apart that are `target` apart; a Spearman
        correlation within plus and minus `target`; a verdict that the judge is no worse than a rater by more than
        `target`.
    target : float
    sd : float
        Standard deviation of human scores of one system; for non-inferiority the deviation that one item adds to the
        difference of both agreements.
    correlation : float
        Of the judge with human scores inside a system: how far it helps with means; for agreement the one expected.
    likeness : float
        Intraclass correlation of the items of one cluster and system.
    per_cluster : float
        Labels of one system in a cluster.
    n_items : float
        Items of a system, all scored by the judge; without a limit when infinite.
    n_clusters : float, optional
        The clusters that they are in; `n_items` over `per_cluster` when None.
    expected : float
        For non-inferiority, by how much the judge is expected to be above a rater.
    level, power : float
        Of the intervals; the chance of telling apart, and of the verdict.

    Returns
    -------
    PlannedLabels

    Raises
    ------
    LagerError
        For an unknown goal, and numbers that are out of range.
    """
    check_plan(goal, target, level=level, power=power)
    _check(sd=sd, correlation=correlation, likeness=likeness, per_cluster=per_cluster)
    n_clusters = n_items / per_cluster if n_clusters is None else n_clusters
    if not (n_items >= 2 and 2 <= n_clusters <= n_items):
        raise LagerError(
            f"{n_items:g} items in {n_clusters:g} clusters: expected 2 or more, and no more clusters than items"
        )
    design = Design(per_cluster, n_items, n_clusters)
    parts = VarianceParts(sd**2 * likeness, sd**2 * (1 - likeness))
    if goal == "agreement":
        error = _fisher(correlation, likeness, design)
        return PlannedLabels(goal, target, labels_for_agreement(error, correlation, target, design, level=level), None)
    if goal == "non-inferiority":
        error = mean_error(parts, design)
        return PlannedLabels(
            goal, target, labels_for_power(error, target + expected, design, level=level, power=power), None
        )
    judge = parts.times(correlation**2)
    errors = (
        mean_error(parts, design),
        mean_error(parts.times(1 - correlation**2), design, judge.of_mean(n_items, n_clusters)),
    )
    alone, helped = (labels_for_means(goal, error, target, design, level=level, power=power) for error in errors)
    if not correlation:
        return PlannedLabels(goal, target, alone, None, notes=(NO_JUDGE,))
    return PlannedLabels(goal, target, alone, helped)


def mean_error(parts: VarianceParts, design: Design, judge: float = 0.0) -> Callable[[int], float]:
    """Return the standard error of a mean by its number of labels; `judge` is the variance of the judge's own mean."""
    return lambda n: float(np.sqrt(parts.of_mean(n, design.clusters(n)) + judge))


def labels_for_means(
    goal: str,
    error: Callable[[int], float],
    target: float,
    design: Design,
    *,
    level: float,
    power: float,
    paired: float = 1,
) -> int | None:
    """Return the labels of a system for its mean, or for a difference of two: `paired` is its variance over the sum."""
    if goal == "mean":
        return labels_for_width(error, target, design, level=level)
    return labels_for_power(lambda n: float(np.sqrt(2 * paired)) * error(n), target, design, level=level, power=power)


def labels_for_agreement(
    error: Callable[[int], float], correlation: float, width: float, design: Design, *, level: float
) -> int | None:
    """Return the labels for a correlation within plus and minus `width`, by the error of its Fisher transform."""
    z = float(np.arctanh(correlation))

    def half_width(reach: float) -> float:
        return float(np.tanh(z + reach) - np.tanh(z - reach)) / 2

    if half_width(50.0) <= width:
        return 1
    reach = float(brentq(lambda reach: half_width(reach) - width, 0.0, 50.0))
    return labels_for_width(error, reach, design, level=level)


def _fisher(correlation: float, likeness: float, design: Design) -> Callable[[int], float]:
    """Return the standard error of Spearman's Fisher transform (Bonett & Wright 2000), fewer items where alike.

    What an item adds to a correlation is a product of two scores, so that likeness counts squared.
    """

    def error(n: int) -> float:
        in_cluster = n / design.clusters(n)
        effective = n / (1 + (in_cluster - 1) * likeness**2)
        return float(np.sqrt((1 + correlation**2 / 2) / (effective - 3))) if effective > 3 else float("inf")

    return error


def check_plan(goal: str, target: float, *, level: float, power: float) -> None:
    """Raise `LagerError` for a goal that is not known, and a target, level or power that is out of range."""
    if goal not in GOALS:
        raise LagerError(f"goal {goal!r}: choose from {', '.join(GOALS)}")
    if not target > 0:
        raise LagerError(f"{goal}: {GOALS[goal]} is {target:g}, expected more than 0")
    if goal == "agreement" and target >= 1:
        raise LagerError(f"agreement: a half-width of {target:g}, expected less than 1")
    for name, value in (("level", level), ("power", power)):
        if not 0.5 <= value < 1:
            raise LagerError(f"{name} {value:g}: expected a share from 0.5 to 1, such as 0.95")


def _check(*, sd: float, correlation: float, likeness: float, per_cluster: float) -> None:
    if not sd > 0:
        raise LagerError(f"a standard deviation of {sd:g}, expected more than 0")
    if not -1 < correlation < 1:
        raise LagerError(f"a correlation of {correlation:g}, expected one between -1 and 1")
    if not 0 <= likeness <= 1:
        raise LagerError(f"a likeness of {likeness:g}, expected an intraclass correlation from 0 to 1")
    if not per_cluster >= 1:
        raise LagerError(f"{per_cluster:g} labels in a cluster, expected 1 or more")
