"""Calibrating an aggregator on items that it was not fitted on, so that its scores come with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...train.aggregator.conformal import Calibration, conformal_radii
from ...train.aggregator.learnt_groups import without_learnt_group
from ...train.aggregator.predictions import predict_all
from ...train.files.aggregator_file import AggregatorRecord, in_sample
from ...train.files.applies import check_applies
from ...train.solvers.folds import cluster_codes, count_clusters


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
    if not record.aggregator.definition.on_scale:
        raise LagerError(
            f"the aggregator is {record.aggregator.strategy}, whose numbers are no scores on the scale {cache.scale}: "
            "an interval around them says nothing of human scores; calibrate one that scores, such as lager-tuned"
        )
    notes = [*check_applies(record, cache, force=force), *cache.clusters.notes]
    readouts = cache.readouts()
    seen = in_sample(record, cache.prompt_keys()[np.flatnonzero(cache.valid)])
    labelled = np.isfinite(readouts.human)
    if n_seen := int((seen & labelled).sum()):
        if not leave_out_training:
            raise LagerError(
                f"{n_seen} of {int(labelled.sum())} labelled items of cache {cache.path} are among the aggregator's "
                "training items, and intervals from them would be too narrow: calibrate on other items, or leave their "
                "clusters out with --leave-out-training"
            )
        seen = _whole_clusters(seen, readouts.cluster)
        notes.append(f"{int((seen & labelled).sum())} items in clusters with training items are left out")
        labelled &= ~seen
    without = without_learnt_group(record.aggregator, cache.scale, readouts.group, len(labelled)) & labelled
    if without.any():
        if without.sum() == labelled.sum():
            raise LagerError(
                f"no labelled item of cache {cache.path} is in a group that the aggregator learnt, and only items of "
                "these have intervals: extract with --group, or train on items without groups"
            )
        labelled &= ~without
        notes.append(f"{int(without.sum())} items are left out, as they are in no group that the aggregator learnt")
    rows = np.flatnonzero(labelled)
    if not len(rows):
        raise LagerError(f"cache {cache.path} has no item with a human score to calibrate on: give --scores, or others")
    used = readouts.take(rows)
    error = np.abs(predict_all({"": record.aggregator}, used)[""] - used.human)
    n_clusters = count_clusters(used.cluster, len(rows))
    radii = conformal_radii(error, n_clusters, levels=sorted(set(levels)))
    if used.cluster is None:
        notes.append("the cache declares no clusters: each item counts by itself; items of one text would not")
    calibration = Calibration(
        radii, cache.scale, len(rows), n_clusters, cache.readout_id, cache.fingerprint, cache.items_hash
    )
    return Calibrated(replace(record, calibration=calibration), notes)


def _whole_clusters(seen: NDArray[np.bool_], cluster: NDArray[np.object_] | None) -> NDArray[np.bool_]:
    """Return the items that share a cluster with one of `seen`."""
    codes = cluster_codes(cluster, len(seen))
    return np.asarray(np.isin(codes, codes[seen]))
