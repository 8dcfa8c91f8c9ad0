"""The report's table of the systems' means: what people say, and what each judge would have said uncorrected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.items.item_table import object_column
from ..estimate.mean_table import mean_table
from ..estimate.means import estimate_means
from ..evaluation.evaluation import Evaluation
from ..tables.table import Table

#: Of more items the report leaves it to `lager estimate`.
MOST_ITEMS = 20_000
_MOST_JUDGES = 6


def system_means(evaluation: Evaluation) -> Table | None:
    """Return each system's mean human score with its interval, corrected by judges where some items have no label.

    None without systems, of many items, or where `lager estimate` would refuse. A judge that was fitted on the labels,
    by folds or not, corrects nothing here: it has no score that `lager estimate` could take for the other items.
    """
    system = object_column(evaluation.items, "system")
    judges = _judges(evaluation)
    if system is None or len(evaluation.items) > MOST_ITEMS or not judges:
        return None
    try:
        found = estimate_means(evaluation.human, judges, system=system, cluster=_clusters(evaluation), resamples=0)
    except LagerError:  # why is said by `lager estimate`
        return None
    return mean_table(found, judges=_MOST_JUDGES, caption="Means of the systems, and what judges alone would say")


def _judges(evaluation: Evaluation) -> Mapping[str, NDArray[np.float64]]:
    """Return the scores on the human scale that owe nothing to these labels."""
    unlabelled = bool(np.isnan(evaluation.human).any())
    known = [one for one in evaluation.scored if one.on_scale and not one.in_sample and not (unlabelled and one.folded)]
    return {one.name: one.scores for one in known[:_MOST_JUDGES]}


def _clusters(evaluation: Evaluation) -> NDArray[np.object_] | None:
    """Return the clusters, those of a cache joined where they share a prompt."""
    cache = evaluation.cache
    return object_column(evaluation.items, "cluster") if cache is None else cache.clusters.cluster
