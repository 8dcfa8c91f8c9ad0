"""Calibrating an aggregator on items that it was not fitted on, so that its scores come with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...data.cache.feature_cache import FeatureCache
from ...train.aggregator.conformal import Calibration, conformal_radii
from ...train.aggregator.predictions import predict_all
from ...train.files.aggregator_file import AggregatorRecord
from ...train.solvers.folds import count_clusters
from ..evaluation.held_out import held_out_items


class Calibrated(NamedTuple):
    """What `calibrate` returns.

    Attributes
    ----------
    record : AggregatorRecord
        The aggregator with its `calibration`.
    notes : list of str
        What the user should know, one line each.
    """

    record: AggregatorRecord
    notes: list[str]


def calibrate(
    record: AggregatorRecord,
    cache: FeatureCache,
    *,
    levels: Sequence[float] = (0.9,),
    leave_out_training: bool = False,
    force: bool = False,
) -> Calibrated:
    """Find how wide intervals around an aggregator's scores must be; see `lager.train.aggregator.conformal`."""
    held_out = held_out_items(record, cache, leave_out_training=leave_out_training, force=force)
    used = held_out.readouts.take(held_out.labelled)
    error = np.abs(predict_all({"": record.aggregator}, used)[""] - used.human)
    n_clusters = count_clusters(used.cluster, len(used))
    radii = conformal_radii(error, n_clusters, levels=sorted(set(levels)))
    calibration = Calibration(
        radii, cache.scale, len(used), n_clusters, cache.readout_id, cache.fingerprint, cache.items_hash
    )
    return Calibrated(replace(record, calibration=calibration), held_out.notes)
