"""The plain question: does the judge agree with the raters as well as one more rater does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ...data.rounding import rounded_means
from ..agreement.against_baseline import Settled
from ..agreement.bootstrap import ClusterBootstrap
from ..agreement.estimates import LevelEstimates
from ..agreement.fold_scores import FoldScores
from ..agreement.labelled_scores import LabelledScores
from ..agreement.levels import choose_level
from ..agreement.rater_figures import mean_difference, mean_over_raters
from ..agreement.result import Estimate
from ..decisions.agreement_margin import check_agreement_margin
from ..metrics.metrics import METRICS
from ..weighted.context import NOTHING
from .rater_table import FEWEST_ITEMS, RaterTable

#: Metrics that need nothing but two columns of numbers.
METRICS_HERE = ("spearman", "pearson", "kendall", "mae", "rmse")
_JUDGE, _RATER = "judge", "rater"


@dataclass(frozen=True)
class OneMoreRater:
    """A judge's agreement with the mean of the remaining raters less that of the rater who was taken out.

    Parameters
    ----------
    metric : str
    level : str
        ``group`` for means over groups, else ``pooled``.
    n : int
        Items that the judge and two raters or more scored.
    judge, rater : Estimate
        Agreement with the mean of the remaining raters, the mean over the raters taken out.
    difference : Estimate
        The judge's less the rater's, paired: on the same items, held to the same means.
    margin : float or None
        How much less agreement is still as good.
    verdict : {"PASS", "FAIL", "INCONCLUSIVE"} or None
        Whether the judge is no worse than a rater by more than the margin: PASS where the interval of the difference
        lies inside it as a whole, FAIL where it lies beyond; None without a margin.
    """

    metric: str
    level: str
    n: int
    judge: Estimate
    rater: Estimate
    difference: Estimate
    margin: float | None = None
    verdict: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        out: dict[str, Any] = {"metric": self.metric, "level": self.level, "n": self.n}
        for name in ("judge", "rater", "difference"):
            one: Estimate = getattr(self, name)
            out[name] = {"estimate": one.estimate, "low": one.low, "high": one.high}
            if one.reason is not None:
                out[name]["reason"] = one.reason
        return out | {"margin": self.margin, "verdict": self.verdict}


def one_more_rater(
    judge: ArrayLike,
    raters: ArrayLike,
    *,
    margin: float | None = None,
    metric: str = "spearman",
    group: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    level: str | None = None,
    names: Sequence[str] | None = None,
    fewest_items: int = FEWEST_ITEMS,
    folded: FoldScores | None = None,
    resamples: int = 1000,
    seed: int = 42,
) -> OneMoreRater:
    """Compare a judge with one more rater: both against the mean of the remaining raters, the mean over raters.

    Parameters
    ----------
    judge, raters, cluster, names, fewest_items
        As of `lager.alt_test`.
    margin : float, optional
        Of the verdict, in units of the metric: .05 lets the judge's Spearman be .05 below a rater's.
    metric : {"spearman", "pearson", "kendall", "mae", "rmse"}
    group : array-like of shape (n_items,), optional
        Agreement is the mean over groups where they are given.
    level : {"group", "pooled"}, optional
    folded : FoldScores, optional
        What every fold's model makes of all items, where the judge was fitted by folds.
    resamples : int
        The most parts that the jackknife leaves out; 0 for no intervals.
    seed : int
        Of the dealing of clusters into parts.

    Returns
    -------
    OneMoreRater

    Raises
    ------
    LagerError
        As `lager.alt_test`.
    """
    _check_metric(metric)
    if margin is not None:
        check_agreement_margin("margin", margin, metric)
    table = RaterTable.check(judge, raters, names=names, cluster=cluster)
    found = beside_raters(
        table, table.tested(fewest_items), metric=metric, group=group, cluster=cluster, level=level, folded=folded,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    return found if margin is None else replace(found, margin=margin, verdict=verdict(metric, found.difference, margin))


def beside_raters(
    table: RaterTable,
    tested: Sequence[int],
    *,
    metric: str,
    group: ArrayLike | None,
    cluster: ArrayLike | None,
    level: str | None,
    folded: FoldScores | None,
    resamples: int,
    seed: int,
) -> OneMoreRater:
    """Return the judge beside some of a table's raters, without a verdict; `group` and the like are of all items."""
    _check_metric(metric)
    if level == "system":
        raise LagerError("level system: raters are compared between items; choose pooled or group")
    settled = _settled(
        table, metric=metric, group=group, cluster=cluster, level=level, folded=folded, resamples=resamples, seed=seed
    )
    found = [_against_the_others(table, rater, settled) for rater in tested]
    judge, rater = (mean_over_raters(found, 0, score=place) for place in range(2))
    return OneMoreRater(metric, settled.level, len(table.judge), judge, rater, mean_difference(found, 0))


def _check_metric(metric: str) -> None:
    """Refuse a metric that needs more than two columns of numbers."""
    if metric not in METRICS_HERE:
        raise LagerError(f"metric {metric!r}: choose from {', '.join(METRICS_HERE)}")


def verdict(metric: str, difference: Estimate, margin: float) -> str:
    """Return whether a difference is shown to be no worse than the margin, shown to be worse, or neither."""
    if difference.low is None or difference.high is None:
        return "INCONCLUSIVE"
    low, high = difference.low, difference.high
    if METRICS[metric].better == "lower":
        low, high = -high, -low
    return "PASS" if low > -margin else "FAIL" if high < -margin else "INCONCLUSIVE"


def _settled(
    table: RaterTable,
    *,
    metric: str,
    group: ArrayLike | None,
    cluster: ArrayLike | None,
    level: str | None,
    folded: FoldScores | None,
    resamples: int,
    seed: int,
) -> Settled:
    """Return an evaluation of the judge on the table's items, with the judge's own scores in a rater's place."""
    n = len(table.judge)
    labels = {
        name: None if column is None else np.asarray(column, dtype=object)[table.rows]
        for name, column in (("group", group), ("cluster", cluster))
    }
    of_folds: Mapping[str, FoldScores] = {}
    if folded is not None:
        of_folds = {_JUDGE: FoldScores(folded.by_model[:, table.rows], folded.fold[table.rows])}
    labelled = LabelledScores.check(
        np.zeros(n), {_JUDGE: table.judge, _RATER: table.judge}, **labels, system=None, folded=of_folds
    )
    n_clusters, codes = labelled.cluster_codes()
    chosen = choose_level(level, grouped=group is not None, systems=False)
    bootstrap = ClusterBootstrap(n_clusters, resamples, seed)
    return Settled(labelled, codes, NOTHING, chosen, bootstrap, (metric,), "jackknife", "these")


def _against_the_others(table: RaterTable, rater: int, settled: Settled) -> LevelEstimates:
    """Return the figures of the judge and of one rater against the means of the others, as the baseline."""
    rows = ~np.isnan(table.raters[:, rater])
    target = _mean_of_others(table.raters, rater)
    labelled = replace(settled.labelled, human=target, scores={_JUDGE: table.judge, _RATER: table.raters[:, rater]})
    return settled._replace(labelled=labelled).estimate(rows, [_JUDGE, _RATER], baseline=_RATER)


def _mean_of_others(raters: NDArray[np.float64], rater: int) -> NDArray[np.float64]:
    """Return each item's mean of all raters but one, NaN where there is no other."""
    present = ~np.isnan(raters)
    present[:, rater] = False
    counts = present.sum(axis=1)
    sums = np.where(present, raters, 0.0).sum(axis=1)
    return rounded_means(np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0))
