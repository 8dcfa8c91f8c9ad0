"""One judge's scores of the same items, read twice: how far they changed, and how far its agreement with people did."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from ...data.errors import LagerError
from ..agreement.agreement import evaluate_scores
from ..agreement.intervals import NO_RESAMPLES
from ..agreement.jackknife import NO_VARIATION
from ..decisions.agreement_margin import check_agreement_margin, largest_difference
from ..decisions.cluster_codes import cluster_codes
from ..decisions.cluster_t import ClusterT, cluster_t
from ..metrics.metrics import METRICS, check_metrics
from .equivalence import Equivalence, Verdict, not_checked
from .unchanged import FEWEST_CLUSTERS, share_unseen, too_few

#: Of the mean change: either end alone bounds it at 95 %, as two one-sided tests at 5 % do.
COVERAGE = 0.9
#: Of the mean size of changes: at 90 % it would be too short where sizes are very unequal.
SIZE_COVERAGE = 0.95
ONE_CLUSTER = "all items are of one cluster"
ONE_NUMBER = "all scores are one number, which does not tell how far one may change"
#: Of the baseline's items, without a new score: more of them, and what is left says little of the judge.
MAX_MISSING = 0.05
_PARTS = 1000  # that the jackknife leaves out at most
_ROUNDING = 1e-9  # of the range: errors below it are those of rounding


@dataclass(frozen=True)
class MeanChange:
    """The mean score then and now, each over all items that had one, and what the change is made of.

    Parameters
    ----------
    baseline, new : float
        Means.
    judge : float
        What the items that have both scores changed by in the mean.
    items : float
        The rest: items that only one of the two has.
    n_baseline, n_new, n_both : int
        Items.
    """

    baseline: float
    new: float
    judge: float
    items: float
    n_baseline: int
    n_new: int
    n_both: int

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {**vars(self), "change": self.new - self.baseline}


@dataclass(frozen=True)
class Check:
    """What `check_scores` returns.

    Parameters
    ----------
    score : Equivalence
        Mean change of the score.
    size : Equivalence
        Mean size of the changes of single items.
    agreement : Equivalence
        Change of the agreement with people.
    metric : str
        Of the agreement.
    mean : MeanChange
    n_labelled, n_clusters : int
        Items with both scores and a human one; clusters of the items with both.
    max_missing : float
        The share of the baseline's items that may lack a new score.
    """

    score: Equivalence
    size: Equivalence
    agreement: Equivalence
    metric: str
    mean: MeanChange
    n_labelled: int
    n_clusters: int
    max_missing: float = MAX_MISSING

    @property
    def missing(self) -> float:
        """Which share of the items that had a score has none now."""
        return (self.mean.n_baseline - self.mean.n_both) / self.mean.n_baseline

    @property
    def parts(self) -> tuple[Equivalence, ...]:
        """What was tested, or was to be."""
        return self.score, self.size, self.agreement

    @property
    def verdict(self) -> Verdict:
        """FAIL where a part fails, INCONCLUSIVE where one is; PASS takes more than the mean.

        The mean may stay where it was while every item changes. So PASS takes the mean change, and the agreement or
        the size of single changes. What has a margin and could not be checked is no PASS, nor is a judge that has
        stopped scoring more than `max_missing` of its items: those it left out may be the ones that changed.
        """
        verdicts = [part.verdict for part in self.parts]
        for one in ("FAIL", "INCONCLUSIVE"):
            if one in verdicts:
                return one
        unknown = any(part.margin is not None and part.verdict == "NOT CHECKED" for part in self.parts)
        if unknown or self.missing > self.max_missing or "PASS" not in verdicts[1:]:
            return "NOT CHECKED"
        return "PASS"

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "verdict": self.verdict,
            "score": self.score.as_json(),
            "size": self.size.as_json(),
            "agreement": {"metric": self.metric, **self.agreement.as_json()},
            "mean": self.mean.as_json(),
            "n_labelled": self.n_labelled,
            "n_clusters": self.n_clusters,
            "missing": self.missing,
            "max_missing": self.max_missing,
        }


def check_scores(
    baseline: ArrayLike,
    new: ArrayLike,
    *,
    margin: float,
    item_margin: float | None = None,
    human: ArrayLike | None = None,
    agreement_margin: float | None = None,
    metric: str = "spearman",
    group: ArrayLike | pl.Series | None = None,
    cluster: ArrayLike | pl.Series | None = None,
    score_range: float | None = None,
    max_missing: float = MAX_MISSING,
) -> Check:
    """Test whether a judge still scores as it did, within margins; clusters are the unit.

    The mean change has a CR2 t interval by cluster, of 90 %: PASS where it lies within the margin, which happens at 5 %
    at most where the true change is at the margin or beyond (two one-sided tests, Schuirmann 1987). The mean size of
    single changes has one of 95 %, for its logarithm; the agreement has the jackknife's, of 95 %. Fewer than 20
    clusters (items, without any) are not checked. Where all clusters changed by the same, or by nothing, the variance
    is 0 and bounds nothing: the interval is then what a share 1 - .05^(1/G) of G clusters, none of which was met, could
    have changed by, over the whole range of scores.

    Parameters
    ----------
    baseline, new : array-like of shape (n_items,)
        The judge's scores of the same items, NaN where it has none.
    margin : float
        Of the mean change, in units of the scale.
    item_margin : float, optional
        Of the mean size of single items' changes.
    human : array-like of shape (n_items,), optional
        Mean human scores, NaN where there is none.
    agreement_margin : float, optional
        Of the change in `metric`.
    metric : str
        From `METRICS`.
    group, cluster : array-like or polars.Series of shape (n_items,), optional
        As in `evaluate_scores`.
    score_range : float, optional
        How far a score can change: highest less lowest of the scale. When None, of all scores given.
    max_missing : float
        The share of the baseline's items that may lack a new score; with more of them nothing passes.

    Returns
    -------
    Check

    Raises
    ------
    LagerError
        When columns differ in length, a margin is not above 0, or no item has both scores.

    Examples
    --------
    >>> then, now = [1, 2, 3, 4] * 10, [1.1, 2.0, 3.0, 4.1] * 10
    >>> found = check_scores(then, now, margin=0.5, item_margin=0.5)
    >>> found.verdict, round(found.score.change, 2)
    ('PASS', 0.05)
    """
    then, now = np.asarray(baseline, dtype=np.float64), np.asarray(new, dtype=np.float64)
    truth = np.full(then.shape, np.nan) if human is None else np.asarray(human, dtype=np.float64)
    shapes = [then.shape, now.shape, truth.shape, *(np.shape(one) for one in (group, cluster) if one is not None)]
    if len(set(shapes)) > 1 or then.ndim != 1:
        raise LagerError(f"columns have shapes {', '.join(map(str, shapes))}, expected one value for each item")
    for name, value in (("margin", margin), ("item margin", item_margin)):
        if value is not None and not 0 < value < np.inf:
            raise LagerError(f"{name} {value:g}: expected a number above 0, in units of what it bounds")
    check_metrics([metric])
    if agreement_margin is not None:
        check_agreement_margin("agreement margin", agreement_margin, metric)
    both = ~np.isnan(then) & ~np.isnan(now)
    if not both.any():
        raise LagerError(f"none of {len(both)} items has a score in both: check that their ids are equal")
    if not 0 <= max_missing <= 1:
        raise LagerError(f"missing {max_missing:g}: expected a share from 0 to 1, such as {MAX_MISSING:g}")
    codes = None if cluster is None else cluster_codes(cluster)[1]
    span = (
        score_range if score_range is not None else float(np.nanmax([then, now, truth]) - np.nanmin([then, now, truth]))
    )
    change = now - then
    labelled = both & ~np.isnan(truth)
    agreement = not_checked("agreement with people", _why_not(human, agreement_margin), margin=agreement_margin)
    if human is not None and agreement_margin is not None:
        columns = {"group": _rows(group, labelled), "cluster": _rows(cluster, labelled)}
        unseen = _Unseen.of(codes, labelled, span)
        agreement = _agreement(
            truth[labelled], then[labelled], now[labelled], metric, margin=agreement_margin, unseen=unseen, **columns
        )
    unseen = _Unseen.of(codes, both, span)
    here = None if codes is None else codes[both]
    return Check(
        score=_within("mean score", cluster_t(change[both], here), margin, unseen),
        size=_size(cluster_t(np.abs(change[both]), here), item_margin, unseen),
        agreement=agreement,
        metric=metric,
        mean=_mean_change(then, now, both),
        n_labelled=int(labelled.sum()),
        n_clusters=unseen.n_clusters,
        max_missing=max_missing,
    )


class _Unseen(NamedTuple):
    """The clusters of some items, the share of them that may have changed unseen, and how far a score can."""

    n_clusters: int
    share: float
    span: float

    @classmethod
    def of(cls, codes: NDArray[np.intp] | None, rows: NDArray[np.bool_], span: float) -> _Unseen:
        n = int(rows.sum())
        here = None if codes is None else np.unique(codes[rows], return_inverse=True)[1]
        n_clusters = n if here is None else len(np.unique(here))
        return cls(n_clusters, share_unseen(here, n) if n else 1.0, span)

    def why_not(self, error: float) -> str | None:
        """Return why a mean with this standard error has no interval, None where it has one."""
        if self.n_clusters == 1:
            return ONE_CLUSTER
        if self.n_clusters < FEWEST_CLUSTERS:
            return too_few(self.n_clusters)
        return ONE_NUMBER if self.constant(error) and self.span == 0 else None

    def constant(self, error: float) -> bool:
        """Return whether all clusters changed by the same but for rounding."""
        return bool(error <= _ROUNDING * self.span)


def _within(what: str, found: ClusterT, margin: float, unseen: _Unseen) -> Equivalence:
    """Return a mean change with its interval."""
    mean, error = float(found.mean), float(found.error)
    if reason := unseen.why_not(error):
        return not_checked(what, reason, change=mean, margin=margin)
    if unseen.constant(error):
        reach = unseen.share * unseen.span
        return Equivalence(what, mean, mean - reach, mean + reach, margin)
    low, high = found.interval(COVERAGE)
    return Equivalence(what, mean, float(low), float(high), margin)


def _size(found: ClusterT, margin: float | None, unseen: _Unseen) -> Equivalence:
    """Return the mean size of changes, its interval made for its logarithm: sizes are skewed, and not below 0."""
    what, size, error = "size of single changes", float(found.mean), float(found.error)
    if margin is None:
        return not_checked(what, "no margin was stated for it", change=size)
    if reason := unseen.why_not(error):
        return not_checked(what, reason, change=size, margin=margin)
    if unseen.constant(error):
        reach = unseen.share * unseen.span
        return Equivalence(what, size, max(0.0, size - reach), size + reach, margin)
    factor = math.exp(float(stdtrit(found.freedom, (1 + SIZE_COVERAGE) / 2) * error) / size)
    return Equivalence(what, size, size / factor, size * factor, margin)


def _agreement(
    human: NDArray[np.float64],
    then: NDArray[np.float64],
    now: NDArray[np.float64],
    metric: str,
    *,
    margin: float,
    unseen: _Unseen,
    group: Any,
    cluster: Any,
) -> Equivalence:
    """Return the change of agreement with its jackknife interval.

    Where the change has no variance, the share that may have changed unseen is taken to say the opposite of what it
    said: a correlation changes by twice the share, a share by it, an error by it times the range of scores.
    """
    what = f"agreement with people ({METRICS[metric].title})"
    if unseen.n_clusters < FEWEST_CLUSTERS:
        return not_checked(what, f"with people's scores, {too_few(unseen.n_clusters)}", margin=margin)
    try:
        found = evaluate_scores(
            human, {"baseline": then, "new": now}, group=group, cluster=cluster, metrics=[metric],
            baseline="baseline", resamples=_PARTS,
        )  # fmt: skip
    except LagerError as error:
        return not_checked(what, str(error), margin=margin)
    assert found.comparison is not None
    one = found.comparison.differences["new"][metric]
    constant = [
        name for name, of in (("people's", human), ("the baseline's", then), ("the new", now)) if not np.ptp(of)
    ]
    if one.difference is None and constant:
        return not_checked(what, f"it is undefined: {' and '.join(constant)} scores do not vary", margin=margin)
    if one.difference is None or ((one.low is None or one.high is None) and one.reason != NO_VARIATION):
        return not_checked(what, one.reason or NO_RESAMPLES, change=one.difference, margin=margin)
    if one.low is None or one.high is None or one.low == one.high:
        reach = unseen.share * largest_difference(metric, unseen.span)
        return Equivalence(what, one.difference, one.difference - reach, one.difference + reach, margin)
    return Equivalence(what, one.difference, one.low, one.high, margin)


def _mean_change(then: NDArray[np.float64], now: NDArray[np.float64], both: NDArray[np.bool_]) -> MeanChange:
    """Return both means, and what their difference is made of."""
    means = float(np.nanmean(then)), float(np.nanmean(now))
    judge = float((now[both] - then[both]).mean())
    n_then, n_now = int((~np.isnan(then)).sum()), int((~np.isnan(now)).sum())
    return MeanChange(*means, judge, means[1] - means[0] - judge, n_then, n_now, int(both.sum()))


def _why_not(human: ArrayLike | None, margin: float | None) -> str:
    """Return why agreement is not checked, where it is not."""
    return "there are no human scores" if human is None else "no margin was stated for it" if margin is None else ""


def _rows(column: ArrayLike | pl.Series | None, rows: NDArray[np.bool_]) -> pl.Series | NDArray[np.object_] | None:
    """Return a column of labels of some items."""
    if column is None:
        return None
    return column.filter(pl.Series(rows)) if isinstance(column, pl.Series) else np.asarray(column, dtype=object)[rows]
