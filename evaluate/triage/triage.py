"""A threshold on doubt by learn-then-test: below it the judge decides, and large errors are as rare as was asked."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..decisions.cluster_codes import cluster_codes
from .cluster_sums import ClusterSums, Step, Unit
from .labels_needed import labels_needed
from .risk_bounds import BOUNDS, Bound
from .thresholds import choose_thresholds, set_apart

ESTIMANDS = {
    "item": "errors among the items decided alone, every item counting the same",
    "cluster": "errors among the items decided alone, every cluster counting as one item",
}


@dataclass(frozen=True)
class Triage:
    """Which items may be decided alone.

    Parameters
    ----------
    threshold : float or None
        Items of this doubt or less may be; None where no threshold was found.
    steps : tuple of Step
        The thresholds tried, from the strictest; the sequence ends with the first whose p-value is above
        1 - `confidence`, and all before it are allowed.
    risk, confidence : float
        What was asked for.
    unit : {"item", "cluster"}
        The estimand, see `ESTIMANDS`.
    bound : {"betting", "hoeffding", "hoeffding-bentkus"}
    n, n_clusters : int
        Items and clusters that calibrated.
    set_apart : int
        Labelled items that only said where thresholds lie.
    largest_cluster : int or None
        The most items that a cluster counts as; None where the bound needs none.
    cap_stated : bool
        Whether that was stated, and not taken from the calibration.
    n_capped : int
        Clusters of the calibration that are larger.
    labels_needed : int or None
        Where no threshold was found, about how many labelled items find one four times in five; None where no number
        would, as the risk seen is above what is allowed at every threshold.
    """

    threshold: float | None
    steps: tuple[Step, ...]
    risk: float
    confidence: float
    unit: Unit
    bound: Bound
    n: int
    n_clusters: int
    set_apart: int
    largest_cluster: int | None
    cap_stated: bool
    n_capped: int
    labels_needed: int | None

    @property
    def verdict(self) -> str:
        """``FOUND`` or ``INCONCLUSIVE``."""
        return "INCONCLUSIVE" if self.threshold is None else "FOUND"

    @property
    def estimand(self) -> str:
        """What is bounded, in words."""
        if not self.n_capped:
            return ESTIMANDS[self.unit]
        return f"{ESTIMANDS['item']}, but a cluster of more than {self.largest_cluster} as so many"

    @property
    def chosen(self) -> Step | None:
        """The step of the threshold."""
        return next((step for step in self.steps if step.threshold == self.threshold), None)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        chosen = self.chosen
        return {
            "verdict": self.verdict,
            **{name: value for name, value in vars(self).items() if name != "steps"},
            "estimand": self.estimand,
            "chosen": None if chosen is None else vars(chosen),
            "steps": [vars(step) for step in self.steps],
        }


def triage(
    error: ArrayLike,
    doubt: ArrayLike,
    *,
    cluster: ArrayLike | pl.Series | None = None,
    risk: float = 0.1,
    confidence: float = 0.9,
    unit: Unit = "item",
    bound: Bound | None = None,
    largest_cluster: int | None = None,
    thresholds: ArrayLike | None = None,
    seed: int = 42,
) -> Triage:
    """Find the largest doubt up to which a judge may decide alone.

    Learn then test (Angelopoulos et al. 2021): thresholds are chosen beforehand and tested from the strictest on, each
    at 1 - `confidence`; the first that fails ends the sequence. With that confidence, over draws of the calibration,
    the risk in the population is at most `risk`. Clusters are the unit: a test looks at the sums over each of
    ``a (e - risk)``, a = 1 where an item is decided alone and e = 1 where its error is large.

    Parameters
    ----------
    error : array-like of shape (n_items,)
        Whether the judge's error is large, 0 or 1; NaN where there is no label.
    doubt : array-like of shape (n_items,)
        Large where the judge is unsure; NaN where it has no score. May have been fitted on other clusters' labels only.
    cluster : array-like or polars.Series of shape (n_items,), optional
        Items of one cluster may be alike; None for an item by itself.
    risk : float
        The share of large errors that is allowed.
    confidence : float
    unit : {"item", "cluster"}
        Whether every item counts the same, or every cluster as one item: another estimand.
    bound : {"betting", "hoeffding", "hoeffding-bentkus"}, optional
        Of the p-values. ``betting`` with clusters, else ``hoeffding-bentkus``, which needs independent items.
    largest_cluster : int, optional
        The most items that a cluster counts as, new ones too, on which the bounds rest: the size of the calibration's
        largest when None. The items of larger clusters share so much weight, which is told.
    thresholds : array-like of shape (n_thresholds,), optional
        Chosen without these items' labels and doubts. When None, even shares of the doubts of items without a label,
        100 or more, else of a tenth of the clusters, whose labels are not used further.
    seed : int
        Of the clusters that are set apart, and of the order in which clusters are bet on.

    Returns
    -------
    Triage

    Raises
    ------
    LagerError
        When columns differ in length, an option is out of range, or there is nothing to calibrate on.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> doubt = rng.uniform(size=2000)
    >>> found = triage(rng.uniform(size=2000) < 0.3 * doubt, doubt)
    >>> found.verdict, round(found.threshold, 1)
    ('FOUND', 0.5)
    """
    if largest_cluster is not None and largest_cluster < 1:
        raise LagerError(f"largest cluster {largest_cluster}: expected 1 item or more")
    for name, value in (("risk", risk), ("confidence", confidence)):
        if not 0.0 < value < 1.0:
            raise LagerError(f"{name} {value:g}: expected a share between 0 and 1")
    if unit not in ESTIMANDS:
        raise LagerError(f"unit {unit!r}: expected item or cluster")
    wrong, unsure, codes = _columns(error, doubt, cluster)
    chosen = _bound(bound, clustered=cluster is not None)
    scored = ~np.isnan(unsure)
    usable = scored & ~np.isnan(wrong)
    if not usable.any():
        raise LagerError(f"none of {len(wrong)} items has a label, a score and a doubt: check that their ids are equal")
    rows, apart, others = np.flatnonzero(usable), 0, None
    if thresholds is None:
        others, rows = set_apart(usable, scored, codes, seed)
        apart = int(usable[others].sum())
    sums = ClusterSums.of(wrong[rows], unsure[rows], codes[rows], unit=unit, largest=largest_cluster, seed=seed)
    level = 1.0 - confidence
    if others is None:
        grid = _given(np.asarray(thresholds, dtype=np.float64))
    else:
        grid = choose_thresholds(unsure[others], sums.evidence, risk=risk, level=level, bound=chosen)
    steps = []
    for step, _ in sums.steps(grid, risk=risk, level=level, bound=chosen):
        steps.append(step)
        if step.p > level:
            break
    allowed = [step.threshold for step in steps if step.p <= level]
    needed = None
    if not allowed:
        needed = labels_needed(
            sums, grid if others is None else unsure[others], risk=risk, level=level, bound=chosen, given=others is None
        )
    return Triage(
        threshold=allowed[-1] if allowed else None,
        steps=tuple(steps),
        risk=risk,
        confidence=confidence,
        unit=unit,
        bound=chosen,
        n=len(rows),
        n_clusters=sums.n,
        set_apart=apart,
        largest_cluster=int(sums.evidence.largest) if unit == "item" and cluster is not None else None,
        cap_stated=largest_cluster is not None,
        n_capped=sums.n_capped if unit == "item" else 0,
        labels_needed=None if needed is None else ceil(needed * (len(rows) + apart)),
    )


def _columns(
    error: ArrayLike, doubt: ArrayLike, cluster: ArrayLike | pl.Series | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Return errors, doubts and cluster codes of all items, once they fit each other."""
    wrong, unsure = np.asarray(error, dtype=np.float64), np.asarray(doubt, dtype=np.float64)
    shapes = [wrong.shape, unsure.shape, *([] if cluster is None else [np.shape(cluster)])]
    if len(set(shapes)) > 1 or wrong.ndim != 1:
        raise LagerError(f"columns have shapes {', '.join(map(str, shapes))}, expected one value for each item")
    if not np.isin(wrong[~np.isnan(wrong)], (0.0, 1.0)).all():
        raise LagerError("errors are neither 0 nor 1: give whether each is large, NaN where there is no label")
    if np.isinf(unsure).any():
        raise LagerError("a doubt is infinite: give a finite number, or NaN where there is no score")
    codes = np.arange(len(wrong)) if cluster is None else cluster_codes(cluster)[1]
    return wrong, unsure, codes.astype(np.intp)


def _bound(bound: Bound | None, *, clustered: bool) -> Bound:
    """Return the bound that p-values are of."""
    if bound is None:
        return "betting" if clustered else "hoeffding-bentkus"
    if bound not in BOUNDS:
        raise LagerError(f"bound {bound!r}: expected {', '.join(BOUNDS)}")
    if clustered and bound == "hoeffding-bentkus":
        raise LagerError("hoeffding-bentkus needs independent items, these are in clusters: take betting")
    return bound


def _given(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the thresholds that were given, ascending."""
    grid = np.unique(thresholds)
    if grid.ndim != 1 or not len(grid) or not np.isfinite(grid).all():
        raise LagerError("thresholds: expected one or more finite numbers")
    return grid
