"""How many labels a question needs, from the labels that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, stdtrit

from ...data.errors import LagerError
from ..agreement.agreement import evaluate_scores
from ..agreement.fold_scores import FoldScores
from ..agreement.result import Estimate
from ..alt_test.one_more_rater import one_more_rater
from ..estimate.arrays import clusters, domains, human_scores
from ..estimate.cluster_sums import ClusterSums
from ..estimate.clustered_mean import clustered_means, difference
from ..estimate.proxies import mixed, read_proxies
from .design import Design, labels_for_power
from .plan import PlannedLabels, check_plan, labels_for_agreement, labels_for_means, mean_error
from .variance_parts import VarianceParts, variance_parts

#: Of the interval of a number of labels.
CONFIDENCE = 0.9
_PARTS = 200  # left out in turn at most
_FEWEST_CLUSTERS = 5
Error = Callable[[int], float]


class _Pilot(NamedTuple):
    """A pilot's labels: values less what the judge explains of them, by domain and cluster, and what they lie in."""

    human: NDArray[np.float64]
    residual: NDArray[np.float64]
    domain: NDArray[np.intp]
    cluster: NDArray[np.intp]
    design: Design
    judge_variance: float
    paired: float
    n_systems: int


def plan_from_pilot(
    goal: str,
    target: float,
    human: ArrayLike,
    judges: Mapping[str, ArrayLike | FoldScores],
    *,
    system: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    group: ArrayLike | None = None,
    raters: ArrayLike | None = None,
    expected: float = 0.0,
    level: float = 0.95,
    power: float = 0.8,
    seed: int = 42,
) -> PlannedLabels:
    """Return how many labels of each system a question needs, from labels drawn at random, with an interval.

    Parameters
    ----------
    goal, target, expected, level, power
        As of `plan_labels`.
    human, judges, system, cluster
        As of `estimate_means`: human scores of the pilot, NaN for the other items.
    group : array-like of shape (n_items,), optional
        What agreement is the mean over, as in `evaluate_scores`.
    raters : array-like of shape (n_items, n_raters), optional
        Every rater's scores, for non-inferiority.
    seed : int

    Returns
    -------
    PlannedLabels
        With the ends of a 90 % interval; labels lie in clusters as in the pilot while there are clusters left.

    Raises
    ------
    LagerError
        As of both, and for a pilot of fewer than five clusters.
    """
    check_plan(goal, target, level=level, power=power)
    truth = human_scores(human)
    codes = clusters(cluster, len(truth))
    labelled = np.isfinite(truth)
    n_clusters = len(np.unique(codes[labelled]))
    if n_clusters < _FEWEST_CLUSTERS:
        raise LagerError(
            f"the pilot's labels are in {n_clusters} clusters, and their spread would be a guess: label items of "
            f"{_FEWEST_CLUSTERS} or more, or state it"
        )
    if goal in ("agreement", "non-inferiority"):
        name, judge = next(iter(judges.items()))

        def figure(by: ArrayLike | None) -> Estimate:
            if goal == "agreement":
                return _agreement(truth, name, judge, by, group=group, seed=seed)
            return _beside_rater(judge, raters, by, group=group, margin=target, seed=seed)

        return _of_figure(
            goal,
            target,
            figure,
            cluster=cluster,
            codes=codes,
            labelled=labelled,
            expected=expected,
            level=level,
            power=power,
        )
    pilot = _pilot(truth, judges, system, codes, seed=seed)
    if goal == "difference" and pilot.n_systems < 2:
        raise LagerError("difference: labels are of one system: give the systems, or ask for a mean")
    return _of_means(goal, target, pilot, level=level, power=power)


def _pilot(
    human: NDArray[np.float64],
    judges: Mapping[str, ArrayLike | FoldScores],
    system: ArrayLike | None,
    codes: NDArray[np.intp],
    *,
    seed: int,
) -> _Pilot:
    """Return the labels with what `lager estimate` makes of them."""
    _, domain = domains(system, len(human))
    proxies = read_proxies(judges, len(human), domain)
    labelled = np.isfinite(human) & (domain >= 0)
    weight = labelled.astype(np.float64)
    scores = mixed(list(proxies.values()), np.nan_to_num(human), weight, codes, seed=seed)[0].for_domains(
        domain, weight
    )
    sums = ClusterSums.of(human, scores, weight, domain=domain, cluster=codes)
    means = clustered_means(sums)
    usable = np.flatnonzero(np.isfinite(means.error))
    if not len(usable):
        raise LagerError("no system has labels in two clusters: label more items")
    inside = np.isin(domain, usable)
    n_items, n_clusters = float(sums.n_all[usable].sum(axis=1).mean()), float(sums.n_clusters[usable].mean())
    of_judge = variance_parts(scores[inside], domain[inside], codes[inside]).times(means.weight**2)
    rows = labelled & inside
    held = sums.n_labelled[usable]
    pairs = [
        difference(means, one, other)[1] ** 2 / (means.error[one] ** 2 + means.error[other] ** 2)
        for one, other in combinations(usable.tolist(), 2)
        if means.error[one] + means.error[other] > 0
    ]
    return _Pilot(
        human[rows],
        (human - means.weight * scores)[rows],
        domain[rows],
        codes[rows],
        Design(float((held**2).sum() / held.sum()), n_items, n_clusters),
        of_judge.of_mean(n_items, n_clusters) if np.isfinite(of_judge.between) else 0.0,
        float(np.mean(pairs)) if pairs else 1.0,
        len(usable),
    )


def _of_means(goal: str, target: float, pilot: _Pilot, *, level: float, power: float) -> PlannedLabels:
    """Return the labels for means or differences, with intervals from leaving clusters of the pilot out."""
    parts = _dealt(pilot.cluster)
    found: list[tuple[int | None, int | None, int | None]] = []
    for values, judge in ((pilot.human, 0.0), (pilot.residual, pilot.judge_variance)):
        whole = variance_parts(values, pilot.domain, pilot.cluster)

        def labels(factor: float, whole: VarianceParts = whole, judge: float = judge) -> int | None:
            error = mean_error(whole.times(factor), pilot.design, judge)
            return labels_for_means(goal, error, target, pilot.design, level=level, power=power, paired=pilot.paired)

        n = labels(1.0)
        factor = np.exp(_reach(values, pilot, parts, n or int(pilot.design.n_items)))
        found.append((n, labels(1 / factor), labels(factor)))
    alone, helped = found
    return PlannedLabels(goal, target, alone[0], helped[0], *alone[1:], *helped[1:], n_systems=pilot.n_systems)


def _dealt(cluster: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the part in which each label is left out: its cluster, or one of `_PARTS` of clusters."""
    return np.unique(cluster, return_inverse=True)[1].reshape(-1) % _PARTS


def _reach(values: NDArray[np.float64], pilot: _Pilot, parts: NDArray[np.intp], n: int) -> float:
    """Return the half-width of the interval of the log of a mean's variance at n labels, by the jackknife."""

    def log_variance(kept: NDArray[np.bool_]) -> float:
        some = variance_parts(values[kept], pilot.domain[kept], pilot.cluster[kept])
        return float(np.log(some.of_mean(n, pilot.design.clusters(n))))

    with np.errstate(divide="ignore"):
        left_out = np.array([log_variance(parts != one) for one in range(int(parts.max()) + 1)])
    left_out = left_out[np.isfinite(left_out)]
    if len(left_out) < 2:
        return 0.0
    error = np.sqrt((len(left_out) - 1) * left_out.var())
    return float(stdtrit(len(left_out) - 1, (1 + CONFIDENCE) / 2) * error)


def _agreement(
    human: NDArray[np.float64],
    name: str,
    judge: ArrayLike | FoldScores,
    cluster: ArrayLike | None,
    *,
    group: ArrayLike | None,
    seed: int,
) -> Estimate:
    """Return the judge's Spearman on the pilot, with its interval."""
    proxy = read_proxies({name: judge}, len(human), np.zeros(len(human), dtype=np.intp))[name]
    agreement = evaluate_scores(
        human,
        {name: proxy.own()},
        group=None if group is None else np.asarray(group, dtype=object),
        cluster=None if cluster is None else np.asarray(cluster, dtype=object),
        folded={} if proxy.folded is None else {name: proxy.folded},
        metrics=("spearman",),
        seed=seed,
    )
    return agreement.strategies[0].metrics["spearman"]


def _beside_rater(
    judge: ArrayLike | FoldScores,
    raters: ArrayLike | None,
    cluster: ArrayLike | None,
    *,
    group: ArrayLike | None,
    margin: float,
    seed: int,
) -> Estimate:
    """Return the judge's agreement less that of one more rater, with its interval."""
    if raters is None:
        raise LagerError("non-inferiority: it is told by each rater's scores: give lists of them, or --raters COLUMNS")
    folded = judge if isinstance(judge, FoldScores) else None
    scores = judge if folded is None else folded.by_model[folded.fold, np.arange(len(folded.fold))]
    return one_more_rater(
        scores, raters, margin=margin, group=group, cluster=cluster, folded=folded, seed=seed
    ).difference


def _of_figure(
    goal: str,
    target: float,
    figure: Callable[[ArrayLike | None], Estimate],
    *,
    cluster: ArrayLike | None,
    codes: NDArray[np.intp],
    labelled: NDArray[np.bool_],
    expected: float,
    level: float,
    power: float,
) -> PlannedLabels:
    """Return the labels for a figure of agreement, by its error in the pilot.

    The error over clusters beside that over items says how alike the items of a cluster are, which counts where more
    labels than in the pilot fall on a cluster.
    """
    found = figure(cluster)
    sizes = np.bincount(codes[labelled])
    n, n_clusters = int(labelled.sum()), int(np.count_nonzero(sizes))
    in_cluster = float((sizes**2).sum() / n)
    error, likeness = _error(goal, found, n_clusters), 0.0
    if cluster is not None and in_cluster > 1:
        by_items = _error(goal, figure(None), n)
        likeness = float(np.clip(((error / by_items) ** 2 - 1) / (in_cluster - 1), 0.0, 1.0))
    alone = error / np.sqrt(1 + (in_cluster - 1) * likeness)
    design = Design(in_cluster, len(codes), len(np.unique(codes)))
    share = (1 - CONFIDENCE) / 2

    def labels(factor: float) -> int | None:
        def of(n_labels: int) -> float:
            alike = 1 + (n_labels / design.clusters(n_labels) - 1) * likeness
            return float(factor * alone * np.sqrt(n / n_labels * alike))

        if goal == "agreement":
            return labels_for_agreement(of, float(found.estimate or 0.0), target, design, level=level)
        return labels_for_power(of, target + expected, design, level=level, power=power)

    low, high = (np.sqrt((n_clusters - 1) / chdtri(n_clusters - 1, tail)) for tail in (share, 1 - share))
    planned = PlannedLabels(goal, target, labels(1.0), None, labels(low), labels(high))
    if goal == "agreement":
        return planned
    said = f"in the pilot the judge's agreement is {found.estimate:+.3f} beside a rater's; planned for {expected:+.3f}"
    return replace(planned, notes=(said,))


def _error(goal: str, found: Estimate, n_clusters: int) -> float:
    """Return the standard error of a figure from its t interval; of a correlation that of Fisher's transform."""
    if found.estimate is None or found.low is None or found.high is None:
        raise LagerError(
            f"{goal}: the pilot's figure has no interval: {found.reason}; label more items, or state numbers"
        )
    ends = np.array([found.low, found.high])
    if goal == "agreement":
        ends = np.arctanh(np.clip(ends, -0.9999999, 0.9999999))
    return float(ends[1] - ends[0]) / 2 / float(stdtrit(n_clusters - 1, 0.975))
