"""Scores and their intervals from one labelled set: models fitted without a fold each, and their errors there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...train.aggregator.aggregator import Aggregator
from ...train.aggregator.conformal import check_levels, conformal_rank
from ...train.aggregator.cross_conformal import CrossCalibration
from ...train.aggregator.learnt_groups import without_learnt_group
from ...train.solvers.folds import cluster_folds, count_clusters
from ...train.strategies.fit import fit_strategy
from ...train.strategies.fold_mean import FoldMean, fold_models
from ...train.strategies.registry import lookup
from ...train.training_run import record_of
from ..evaluation.held_out import refuse_no_scores
from .calibrate import Calibrated


def cross_calibrate(
    cache: FeatureCache,
    *,
    strategy: str = "lager-tuned",
    folds: int = 5,
    levels: Sequence[float] = (0.9,),
    preset: str = "converged",
    seed: int = 42,
) -> Calibrated:
    """Fit a strategy without each fold of whole clusters; see `lager.train.aggregator.cross_conformal`."""
    definition = lookup(f"{FoldMean.key}:{strategy}")
    refuse_no_scores(definition, cache.scale)
    readouts = cache.readouts()
    rows = np.flatnonzero(np.isfinite(readouts.human))
    if not len(rows):
        raise LagerError(f"cache {cache.path} has no item with a human score to calibrate on: give --scores, or others")
    used = readouts.take(rows)
    n_clusters = count_clusters(used.cluster, len(rows))
    check_levels(levels)
    for level in levels:
        conformal_rank(level, len(rows), n_clusters)
    notes, models, errors = list(cache.clusters.notes), list[Aggregator](), list[tuple[float, ...]]()
    left_out = 0
    for fold in cluster_folds(used.cluster, len(rows), folds, seed):
        model = fit_strategy(strategy, used.take(fold.train), preset=preset, seed=seed)
        unseen = used.take(fold.test)
        held = ~without_learnt_group(model, cache.scale, unseen.group, len(unseen))
        left_out += int((~held).sum())
        if not held.any():
            raise LagerError(f"all items of a fold of {folds} are in groups that the others lack: use fewer folds")
        models.append(model)
        errors.append(tuple(sorted(np.abs(model.predict(unseen) - unseen.human)[held].tolist())))
    if left_out:
        notes.append(f"{left_out} items are in groups that only their fold has: their errors are left out")
    if used.cluster is None:
        notes.append("the cache declares no clusters: each item counts by itself; items of one text would not")
    training = {"n": len(rows), "folds": folds, "seed": seed}
    aggregator = Aggregator(
        definition, models[0].preset, cache.scale, cache.n_layers, None, fold_models(models), training
    )
    calibration = CrossCalibration(
        tuple(sorted(set(levels))), tuple(errors), cache.scale, n_clusters, cache.readout_id, cache.fingerprint,
        cache.items_hash,
    )  # fmt: skip
    return Calibrated(replace(record_of(aggregator, cache, rows), calibration=calibration), notes)
