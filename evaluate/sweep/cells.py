"""The cells of a sweep: what is fitted on which items, decided by names and numbers, never by the order of work."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ...train.solvers.folds import cluster_codes, cluster_folds, count_clusters
from ...train.strategies.fit import derived, fit_strategy
from ...train.strategies.registry import lookup, needs_fitting
from ..agreement.agreement import evaluate_scores
from ..evaluation.scoring import fitted_once

Protocol = Literal["curve", "folds"]
#: What is drawn: items, one of each cluster in turn, or whole clusters.
DrawBy = Literal["items", "clusters"]


class Work(NamedTuple):
    """Cells that share one fit: strategies with the same weights, on the same draw."""

    protocol: Protocol
    """`curve`: fitted on a draw of the training cache, scored on the test cache; `folds`: on the training cache, out of
    fold."""
    fitted: str
    """The strategy that is fitted."""
    members: tuple[str, ...]
    """The strategies that are scored with it."""
    size: int | None
    """Labels asked for; None for all. Whole clusters may hold more."""
    draw: int
    """Number of the draw, or of the fold that is left out."""

    def keys(self) -> list[tuple[str, str, int | None, int]]:
        """Return what names each cell."""
        return [(self.protocol, member, self.size, self.draw) for member in self.members]

    def seed(self, base: int) -> int:
        """Return the seed of the cell's own randomness."""
        return derived_seed(base, self.protocol, self.fitted, self.size, self.draw)


def plan(
    strategies: Sequence[str], *, n_labelled: int, folds: int, sizes: Iterable[int], seeds: int
) -> tuple[list[Work], list[int]]:
    """Return all work, and the sizes for which there are too few labels.

    A strategy that needs no fitting has one cell of size 0, and one a fold.
    """
    asked = sorted(set(sizes))
    if any(size < 2 for size in asked) or seeds < 0 or folds < 0 or folds == 1:
        raise LagerError(
            f"got sizes {asked}, {seeds} seeds, {folds} folds: expected sizes and folds of 2 or more, or 0"
        )
    possible = [size for size in asked if size <= n_labelled]
    work: list[Work] = []
    for fitted, members in fitted_once(strategies).items():
        named = tuple(members)
        if needs_fitting(fitted):
            work += [Work("curve", fitted, named, size, draw) for size in possible for draw in range(seeds)]
        else:
            work.append(Work("curve", fitted, named, 0, 0))
        work += [Work("folds", fitted, named, None, fold) for fold in range(folds)]
    if not work:
        raise LagerError("the sweep has no cells: give --sizes that the labels suffice for, or --folds of 2 or more")
    return work, [size for size in asked if size > n_labelled]


def drawn_rows(train: Readouts, size: int, draw: int, *, seed: int, by: DrawBy = "items") -> NDArray[np.intp]:
    """Return the rows of a draw, clusters in an order of its own.

    By ``items`` clusters give one item each in turn, round after round, until there are `size`: so many labels are of
    as many texts as there can be. By ``clusters`` whole clusters are taken, as few as hold `size` items. A larger size
    contains the smaller one of the same draw, and all strategies see the same items.
    """
    codes = cluster_codes(train.cluster, len(train))
    random = np.random.default_rng(derived_seed(seed, "draw", draw))
    place = random.permutation(int(codes.max()) + 1)[codes]
    shuffled = random.permutation(len(codes))
    order = shuffled[np.argsort(place[shuffled], kind="stable")]  # cluster after cluster, in each the items at random
    in_order = place[order]
    if by == "clusters":
        return np.flatnonzero(place <= in_order[size - 1])
    turn = np.arange(len(order)) - np.searchsorted(in_order, in_order)
    return np.sort(order[np.lexsort((in_order, turn))][:size])


def fold_of(train: Readouts, fold: int, n_folds: int, *, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows to fit and the rows to score when a fold is left out."""
    split = cluster_folds(train.cluster, len(train), n_folds, seed)[fold]
    return split.train, split.test


def derived_seed(*parts: object) -> int:
    """Return a seed that depends on nothing but the parts."""
    return int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:4], "big")


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
    draw_by: DrawBy = "items"


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
            return [
                _measured(work, name, one, train=train, test=test, level=data.level) for name, one in scores.items()
            ]
        except LagerError as error:
            return [_row(work, name, train, test, reason=str(error)) for name in work.members]


def _items(work: Work, data: SweepData) -> tuple[Readouts, Readouts]:
    """Return the items to fit and to score."""
    if work.protocol == "folds":
        fit, score = fold_of(data.train, work.draw, data.folds, seed=data.seed)
        return data.train.take(fit), data.train.take(score)
    if not work.size:
        return data.train.take(np.arange(0)), data.test
    return data.train.take(drawn_rows(data.train, work.size, work.draw, seed=data.seed, by=data.draw_by)), data.test


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
        off_scale=[] if lookup(name).on_scale else [name],
        resamples=0,
    )[name]
    figures: Mapping[str, float | None] = {metric: agreement.metrics[metric].estimate for metric in MEASURED}
    pooled = agreement.pooled["spearman"].estimate
    reason = next((one.reason for one in agreement.metrics.values() if one.estimate is None and one.reason), None)
    lacking = agreement.metrics["spearman"].undefined_groups or 0
    return _row(work, name, train, test, figures=figures, pooled=pooled, lacking=lacking, reason=reason)


def _row(
    work: Work,
    name: str,
    train: Readouts,
    test: Readouts,
    *,
    figures: Mapping[str, float | None] | None = None,
    pooled: float | None = None,
    lacking: int = 0,
    reason: str | None = None,
) -> Row:
    """Return a cell's row, with null for figures that are missing."""
    return {
        "protocol": work.protocol,
        "strategy": name,
        "size": work.size,
        "draw": work.draw,
        "n_train": len(train),
        "train_clusters": count_clusters(train.cluster, len(train)),
        "n_test": len(test),
        **(figures or dict.fromkeys(MEASURED)),
        "spearman_pooled": pooled,
        "undefined_groups": lacking,
        "reason": reason,
    }
