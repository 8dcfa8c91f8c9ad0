"""The items of a cache on which a fitted aggregator may be calibrated: labelled, and none that it was fitted on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ...data.scale import Scale
from ...train.aggregator.learnt_groups import without_learnt_group
from ...train.aggregator.strategy import Strategy
from ...train.files.aggregator_file import AggregatorRecord, in_sample
from ...train.files.applies import check_applies
from ...train.solvers.folds import cluster_codes


class HeldOut(NamedTuple):
    """What an aggregator may be calibrated on.

    Attributes
    ----------
    readouts : Readouts
        The valid rows of the cache.
    labelled, unlabelled : ndarray of int
        Places there of the items to calibrate on, and of others without a label that it was not fitted on.
    notes : list of str
        What the user should know, one line each.
    """

    readouts: Readouts
    labelled: NDArray[np.intp]
    unlabelled: NDArray[np.intp]
    notes: list[str]


def held_out_items(record: AggregatorRecord, cache: FeatureCache, *, leave_out_training: bool, force: bool) -> HeldOut:
    """Return the items to calibrate on; refuse an aggregator without scores, and training items unless left out."""
    refuse_no_scores(record.aggregator.definition, cache.scale)
    notes = [*check_applies(record, cache, force=force), *cache.clusters.notes]
    readouts = cache.readouts()
    seen = in_sample(record, cache.prompt_keys()[np.flatnonzero(cache.valid)])
    labelled = np.isfinite(readouts.human)
    if n_seen := int((seen & labelled).sum()):
        if not leave_out_training:
            raise LagerError(
                f"{n_seen} of {int(labelled.sum())} labelled items of cache {cache.path} are among the aggregator's "
                "training items, on which its errors are too small: calibrate on other items, or leave their "
                "clusters out with --leave-out-training"
            )
        seen = _whole_clusters(seen, readouts.cluster)
        notes.append(f"{int((seen & labelled).sum())} items in clusters with training items are left out")
    without = without_learnt_group(record.aggregator, cache.scale, readouts.group, len(labelled))
    usable = ~seen & ~without
    if (left_out := labelled & ~seen & without).any():
        if not (labelled & usable).any():
            raise LagerError(
                f"no labelled item of cache {cache.path} is in a group that the aggregator learnt, and only items of "
                "these can be calibrated on: extract with --group, or train on items without groups"
            )
        notes.append(f"{int(left_out.sum())} items are left out, as they are in no group that the aggregator learnt")
    rows = np.flatnonzero(labelled & usable)
    if not len(rows):
        raise LagerError(f"cache {cache.path} has no item with a human score to calibrate on: give --scores, or others")
    if readouts.cluster is None:
        notes.append("the cache declares no clusters: each item counts by itself; items of one text would not")
    return HeldOut(readouts, rows, np.flatnonzero(~labelled & usable), notes)


def refuse_no_scores(strategy: Strategy, scale: Scale) -> None:
    """Raise `LagerError` for a strategy whose numbers are no scores."""
    if not strategy.on_scale:
        raise LagerError(
            f"the aggregator is {strategy.name}, whose numbers are no scores on the scale {scale}: how far they are "
            "from human scores says nothing; calibrate one that scores, such as lager-tuned"
        )


def _whole_clusters(seen: NDArray[np.bool_], cluster: NDArray[np.object_] | None) -> NDArray[np.bool_]:
    """Return the items that share a cluster with one of `seen`."""
    codes = cluster_codes(cluster, len(seen))
    return np.asarray(np.isin(codes, codes[seen]))
