"""One piece of a sweep's work: fit, score, compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.errors import LagerError
from ..data.readouts import Readouts
from ..train.strategies import derived, fit_strategy
from .agreement import evaluate_scores
from .scoring import OFF_SCALE
from .sweep_cells import Work, drawn_rows, fold_of

#: What is measured in every cell, in the order of the columns.
MEASURED = ("spearman", "pearson", "kendall", "mae", "rmse")

Row = dict[str, Any]


class SweepData(NamedTuple):
    """What every cell needs; arrives in a worker as read-only arrays."""

    train: Readouts
    test: Readouts
    level: str
    preset: str
    folds: int
    seed: int


def run_work(work: Work, data: SweepData) -> list[Row]:
    """Return one row per cell; a fit that fails leaves its reason in place of figures.

    One thread is used inside, so that a row does not depend on how many workers there are.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        train, test = _items(work, data)
        try:
            fitted = fit_strategy(work.fitted, train, preset=data.preset, seed=work.seed(data.seed))
            scores = {
                name: (fitted if name == fitted.strategy else derived(fitted, name)).predict(test)
                for name in work.members
            }
        except LagerError as error:
            return [_row(work, name, train, test, reason=str(error)) for name in work.members]
        return [_measured(work, name, one, train=train, test=test, level=data.level) for name, one in scores.items()]


def _items(work: Work, data: SweepData) -> tuple[Readouts, Readouts]:
    """Return the items to fit and to score."""
    if work.protocol == "folds":
        fit, score = fold_of(data.train, work.draw, data.folds, seed=data.seed)
        return data.train.take(fit), data.train.take(score)
    if not work.size:
        return data.train.take(np.arange(0)), data.test
    return data.train.take(drawn_rows(data.train, work.size, work.draw, seed=data.seed)), data.test


def _measured(
    work: Work, name: str, scores: NDArray[np.float64], *, train: Readouts, test: Readouts, level: str
) -> Row:
    """Return a cell's row."""
    agreement = evaluate_scores(
        test.human,
        {name: scores},
        group=test.group if level == "group" else None,
        level=level,
        metrics=MEASURED,
        off_scale=[name] if name in OFF_SCALE else [],
        resamples=0,
    )[name]
    figures: Mapping[str, float | None] = {metric: agreement.metrics[metric].estimate for metric in MEASURED}
    pooled = agreement.pooled["spearman"].estimate
    reason = next((one.reason for one in agreement.metrics.values() if one.estimate is None and one.reason), None)
    return _row(work, name, train, test, figures=figures, pooled=pooled, reason=reason)


def _row(
    work: Work,
    name: str,
    train: Readouts,
    test: Readouts,
    *,
    figures: Mapping[str, float | None] | None = None,
    pooled: float | None = None,
    reason: str | None = None,
) -> Row:
    return {
        "protocol": work.protocol,
        "strategy": name,
        "size": work.size,
        "draw": work.draw,
        "n_train": len(train),
        "n_test": len(test),
        **(figures or dict.fromkeys(MEASURED)),
        "spearman_pooled": pooled,
        "reason": reason,
    }
