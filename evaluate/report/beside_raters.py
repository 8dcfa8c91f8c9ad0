"""The report's table of judges beside their raters, where raters have names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...data.errors import LagerError
from ...data.items.raters import RaterScores, count_names, rater_scores
from ..agreement.grouping import label_series
from ..alt_test.alt_test import against_raters
from ..alt_test.one_more_rater import OneMoreRater, one_more_rater
from ..alt_test.tables import figure, strata_table
from ..alt_test.uncertainty import agreement_by_uncertainty
from ..evaluation.evaluation import Evaluation
from ..evaluation.scoring import StrategyScores
from ..metrics.metrics import METRICS
from ..tables.table import Column, Row, Table, name, number
from .marks import best_strategies

#: Of more items or raters the report leaves it to `lager alt-test`.
MOST_ITEMS, MOST_RATERS = 20_000, 20
_EPSILONS = (0.1, 0.15, 0.2)
_METRIC = "spearman"


def beside_raters(evaluation: Evaluation) -> Table | None:
    """Return a row for each judge on the raters' scale; None without names, of too few raters, or of many items."""
    raters = named_raters(evaluation)
    if raters is None:
        return None
    rows = tuple(_rows(evaluation, raters))
    columns = (
        Column("strategy", "name"), Column("rho"), *(Column(f"omega at {epsilon:g}") for epsilon in _EPSILONS),
        Column(METRICS[_METRIC].title), Column("one rater"), Column("difference"),
    )  # fmt: skip
    asked = "may it replace a rater (omega of 0.5 or more), at three epsilons: choose one beforehand"
    return Table(columns, rows, caption=f"Beside one more rater: {asked}") if rows else None


def by_uncertainty(evaluation: Evaluation) -> Table | None:
    """Return the best strategy by how far an item's raters lie apart; None where `beside_raters` is."""
    raters = named_raters(evaluation)
    best = sorted(best_strategies(evaluation, [_METRIC])[_METRIC])
    if raters is None or not best:
        return None
    one = next(one for one in evaluation.scored if one.name == best[0])
    try:
        strata = agreement_by_uncertainty(
            one.scores, raters.scores, metric=_METRIC, group=evaluation.group, cluster=_clusters(evaluation),
            level=_level(evaluation), names=raters.names, folded=one.folded, resamples=evaluation.agreement.resamples,
            seed=evaluation.agreement.seed,
        )  # fmt: skip
    except LagerError:
        return None
    return strata_table({one.name: strata}, _METRIC)


def named_raters(evaluation: Evaluation) -> RaterScores | None:
    """Return the raters' scores where they have names and are few enough for the report."""
    known = count_names(evaluation.items)
    if known is None or known > MOST_RATERS or len(evaluation.items) > MOST_ITEMS:
        return None
    return rater_scores(evaluation.items)


def beside_one_more(
    evaluation: Evaluation, one: StrategyScores, raters: RaterScores, *, metric: str = _METRIC
) -> OneMoreRater | None:
    """Return a strategy beside one more rater; None where too few raters have items enough."""
    try:
        return one_more_rater(
            one.scores, raters.scores, metric=metric, group=evaluation.group, cluster=_clusters(evaluation),
            level=_level(evaluation), names=raters.names, folded=one.folded, resamples=evaluation.agreement.resamples,
            seed=evaluation.agreement.seed,
        )  # fmt: skip
    except LagerError:  # what is lacking is said by `lager alt-test`
        return None


def _rows(evaluation: Evaluation, raters: RaterScores) -> Iterator[Row]:
    for one in evaluation.scored:
        beside = beside_one_more(evaluation, one, raters) if one.on_scale and not one.in_sample else None
        if beside is None:
            continue
        compared = against_raters(
            one.scores, raters.scores, alignment="neg-rmse", cluster=_clusters(evaluation), names=raters.names
        )
        tests = [compared.at(epsilon) for epsilon in _EPSILONS]
        yield (
            name(one.name), number(tests[0].rho), *(number(test.omega, 2) for test in tests),
            figure(beside.judge), figure(beside.rater), figure(beside.difference),
        )  # fmt: skip


def _level(evaluation: Evaluation) -> str | None:
    return "pooled" if evaluation.agreement.level == "pooled" else None


def _clusters(evaluation: Evaluation) -> Any:
    """Return the clusters of all items, those joined that share a prompt."""
    if evaluation.cache is not None:
        return evaluation.cache.clusters.cluster
    declared = label_series(evaluation.items, "cluster")
    return None if declared is None else np.array(declared.to_list(), dtype=object)
