"""Train one strategy on a cache: choose the rows, fit, and check on what was held out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.cache.readouts import Readouts
from ..data.errors import LagerError
from .aggregator.aggregator import Aggregator
from .aggregator.predictions import predict_all
from .files.aggregator_file import AggregatorRecord, packed_keys
from .files.prompt_settings import prompt_settings_of
from .left_out_check import LeftOut, check_left_out
from .solvers.folds import cluster_codes, cluster_holdout
from .solvers.rank_correlation import spearman
from .strategies.fit import fit_strategy, untrained
from .strategies.registry import lookup

if TYPE_CHECKING:
    from ..data.cache.feature_cache import FeatureCache


class HeldOut(NamedTuple):
    """Agreement on the items that were held out."""

    n: int
    level: str
    """`group`: the mean over groups; `pooled` where there are none."""
    spearman: dict[str, float | None]
    """By strategy; None where it is undefined."""


class TrainingRun(NamedTuple):
    """What `train_on_cache` returns."""

    record: AggregatorRecord
    held_out: HeldOut | None
    notes: list[str]
    """What the user should know, one line each."""
    left_out: LeftOut | None = None
    """How it does on clusters left out, where that was asked for and can be found."""


def train_on_cache(
    cache: FeatureCache,
    *,
    strategy: str = "lager-tuned",
    preset: str = "converged",
    limit: int | None = None,
    holdout: float | None = None,
    level: str | None = None,
    seed: int = 42,
    check: bool = False,
) -> TrainingRun:
    """Fit a strategy on a cache's labelled items, to agree within groups where there are any, or pooled by `level`.

    With `check` it is fitted three times more, to be compared with baselines on clusters left out.
    """
    if level not in {None, "pooled", "group"}:
        raise LagerError(f"unknown level {level!r} of a fit: choose pooled or group")
    if limit is not None and limit < 1:
        raise LagerError(f"got a limit of {limit} items, expected 1 or more")
    readouts = replace(cache.readouts(), pooled=level == "pooled")
    if level == "group" and readouts.group is None:
        raise LagerError(f"level group needs groups, and cache {cache.path} declares none: choose --level pooled")
    rows = np.flatnonzero(np.isfinite(readouts.human))
    notes = _unused_rows(cache, len(readouts), len(rows), strategy)
    notes += cache.clusters.notes if lookup(strategy).needs_fitting else []
    train_rows, test_rows = rows, np.zeros(0, dtype=np.intp)
    if holdout is not None:
        cluster = None if readouts.cluster is None else readouts.cluster[rows]
        split = cluster_holdout(cluster, len(rows), holdout, seed)
        train_rows, test_rows = rows[split.train], rows[split.test]
    if limit is not None:
        cluster = None if readouts.cluster is None else readouts.cluster[train_rows]
        codes = cluster_codes(cluster, len(train_rows))
        drawn = _drawn(codes, limit, seed)
        if cluster is not None and len(drawn) < len(train_rows):
            n_drawn, n_all = len(np.unique(codes[drawn])), len(np.unique(codes))
            notes.append(f"the limit of {limit} items: {len(drawn)} in {n_drawn} of {n_all} clusters, drawn whole")
        train_rows = train_rows[drawn]
    train = readouts if len(train_rows) == len(readouts) else readouts.take(train_rows)
    aggregator = fit_strategy(strategy, train, preset=preset, seed=seed)
    left_out = None
    if check and lookup(strategy).needs_fitting and strategy != "group-mean":
        left_out = check_left_out(train, lookup(strategy), preset=preset, seed=seed)
    fitted = aggregator.definition.needs_fitting
    if fitted:
        aggregator = replace(
            aggregator,
            training={**aggregator.training, "seed": seed, "limit": limit, "holdout": holdout, "level": _level(train)},
        )
        notes += _doubts(aggregator, len(train_rows))
    record = record_of(aggregator, cache, train_rows)
    held_out = _score_held_out(aggregator, readouts.take(test_rows), preset) if holdout is not None else None
    return TrainingRun(record, held_out, notes, left_out)


def record_of(aggregator: Aggregator, cache: FeatureCache, rows: NDArray[np.intp]) -> AggregatorRecord:
    """Return an aggregator with where it comes from; `rows`, of the valid ones, are those that it was fitted on."""
    fitted = aggregator.definition.needs_fitting
    in_cache = np.flatnonzero(cache.valid)[rows]
    return AggregatorRecord(
        aggregator,
        readout_id=cache.readout_id,
        readout_inputs=cache.manifest["readout_inputs"],
        fingerprint=cache.fingerprint,
        items_hash=cache.items_hash,
        training_rows=packed_keys(cache.prompt_keys()[in_cache]) if fitted else b"",
        private=fitted and cache.private,
        reading=prompt_settings_of(cache.manifest["fingerprint_inputs"]),
    )


def _drawn(cluster: NDArray[np.intp], limit: int, seed: int) -> NDArray[np.intp]:
    """Return the places of up to `limit` items, clusters drawn whole and left out where they are too many."""
    shuffled = np.random.default_rng(seed).permutation(len(cluster))
    _, first, of_cluster, counts = np.unique(
        cluster[shuffled], return_index=True, return_inverse=True, return_counts=True
    )
    if len(first) == len(cluster):
        return np.sort(shuffled[:limit])
    kept, left = np.zeros(len(first), dtype=np.bool_), limit
    for one in np.argsort(first):
        if counts[one] <= left:
            kept[one], left = True, left - int(counts[one])
    if left == limit:
        raise LagerError(f"the limit is {limit} items, and no cluster has so few: give {counts.min()} or more")
    return np.sort(shuffled[kept[of_cluster]])


def _unused_rows(cache: FeatureCache, n_valid: int, n_labelled: int, strategy: str) -> list[str]:
    """Say which rows cannot be trained on; nothing is left out in silence."""
    left_out = {"invalid": cache.n_items - n_valid, "without a human score": n_valid - n_labelled}
    parts = [f"{count} {why}" for why, count in left_out.items() if count]
    return [f"left out of {cache.n_items} rows: {', '.join(parts)}"] if parts and lookup(strategy).needs_fitting else []


def _doubts(aggregator: Aggregator, n: int) -> list[str]:
    """Return reasons to mistrust a fit."""
    doubt = aggregator.definition.doubt(aggregator, n)
    doubts = [] if doubt is None else [doubt]
    if aggregator.training.get("converged") is False:
        doubts.append(
            "the minimiser stopped before the minimum: the weights are usable, but not the best on these items"
        )
    return doubts


def _score_held_out(aggregator: Aggregator, test: Readouts, preset: str) -> HeldOut:
    """Rank held-out items by the fitted strategy, uniform lager and e-score."""
    rivals = [
        untrained(name, n_layers=test.logits.shape[1] - 1, scale=test.scale, preset=preset)
        for name in ("lager", "e-score")
        if name != aggregator.strategy
    ]
    scores = predict_all({one.strategy: one for one in (aggregator, *rivals)}, test)
    by_strategy = {name: _agreement(values, test) for name, values in scores.items()}
    return HeldOut(len(test), _level(test), by_strategy)


def _level(readouts: Readouts) -> str:
    """Return the level at which agreement counts."""
    return "pooled" if readouts.pooled or readouts.group is None else "group"


def _agreement(scores: NDArray[np.float64], test: Readouts) -> float | None:
    """Return Spearman per group, averaged over the groups in which it is defined; pooled where there are none."""
    if test.group is None or test.pooled:
        return spearman(scores, test.human)
    groups = np.array([str(group) for group in test.group])
    values = [spearman(scores[groups == one], test.human[groups == one]) for one in np.unique(groups)]
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
