"""The items of a cache that a fitted aggregator may decide alone, and the rule that is kept in its file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...train.aggregator.item_doubt import doubt_signals
from ...train.aggregator.predictions import predict_all
from ...train.aggregator.triage_rule import TriageRule, learnt_doubt
from ...train.files.aggregator_file import AggregatorRecord
from ...train.solvers.folds import cluster_codes, cluster_holdout
from ..evaluation.held_out import held_out_items
from .judge_triage import JudgeTriage
from .large_errors import error_for, large_errors
from .learnt_doubt import LearntDoubt, learn_doubt
from .triage import triage
from .wanted import Wanted

_LEARNT_SHARE = 0.5


@dataclass(frozen=True)
class RecordTriage:
    """An aggregator with the rule that was found, if one was."""

    record: AggregatorRecord
    found: JudgeTriage


def triage_aggregator(
    record: AggregatorRecord,
    cache: FeatureCache,
    wanted: Wanted,
    *,
    learn: bool = False,
    leave_out_training: bool = False,
    force: bool = False,
) -> RecordTriage:
    """Find which items an aggregator may decide alone, on items that it was not fitted on.

    Where doubt is learnt, half of the clusters are for that, and the other half for the threshold, whatever is kept.
    """
    held_out = held_out_items(record, cache, leave_out_training=leave_out_training, force=force)
    rows = np.sort(np.concatenate([held_out.labelled, held_out.unlabelled]))
    used = held_out.readouts.take(rows)
    aggregator = record.aggregator
    signals = doubt_signals(aggregator, used, cache.score_mass[np.flatnonzero(cache.valid)[rows]])
    score = predict_all({"": aggregator}, used)[""]
    error, _ = error_for(wanted.error, cache.scale, used.human, score)
    wrong = large_errors(score, used.human, error=error, scale=cache.scale)
    doubt, learnt = signals[:, 0], None
    cluster = cluster_codes(used.cluster, len(used))
    if learn:
        learnt, teaches = _learn(wrong, signals, cluster, wanted)
        if learnt.helps:
            doubt = learnt_doubt(signals, learnt.coefficients)
        wrong = np.where(teaches, np.nan, wrong)  # their labels are used up, their doubts say where thresholds lie
    result = triage(wrong, doubt, cluster=None if used.cluster is None else cluster, **wanted.options())
    coefficients = learnt.coefficients if learnt is not None and learnt.helps else None
    if result.threshold is not None:
        rule = TriageRule(
            threshold=result.threshold,
            coefficients=coefficients,
            error=error,
            risk=wanted.risk,
            confidence=wanted.confidence,
            estimand=result.estimand,
            scale=cache.scale,
            n=result.n,
            n_clusters=result.n_clusters,
            readout_id=cache.readout_id,
            fingerprint=cache.fingerprint,
            items_hash=cache.items_hash,
        )
        record = replace(record, triage=rule)
    name = "deviation" if coefficients is None else "learnt"
    return RecordTriage(record, JudgeTriage(aggregator.strategy, name, error, result, learnt, tuple(held_out.notes)))


def _learn(
    wrong: NDArray[np.float64], signals: NDArray[np.float64], cluster: NDArray[np.intp], wanted: Wanted
) -> tuple[LearntDoubt, NDArray[np.bool_]]:
    """Return what half of the clusters teach, and which items these are."""
    labelled = np.flatnonzero(~np.isnan(wrong))
    if len(np.unique(cluster[labelled])) < 4:
        raise LagerError("learning doubt takes 4 clusters of labelled items or more: leave --learn out")
    taught = labelled[cluster_holdout(cluster[labelled].tolist(), len(labelled), _LEARNT_SHARE, wanted.seed).test]
    learnt = learn_doubt(
        wrong[taught], signals[taught], cluster[taught], plain=signals[taught, 0], risk=wanted.risk, seed=wanted.seed
    )
    teaches = np.zeros(len(wrong), dtype=np.bool_)
    teaches[taught] = True
    return learnt, teaches
