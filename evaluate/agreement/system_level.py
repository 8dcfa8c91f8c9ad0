"""Agreement between systems: mean scores of each system, compared inside each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..weighted.context import Context
from .bootstrap import ClusterBootstrap
from .estimates import LevelEstimates
from .fold_scores import Footing
from .intervals import IntervalKind
from .item_level import ItemLevel
from .labelled_scores import LabelledScores
from .levels import segments_of
from .true_means import Systems, true_means


def estimate_systems(
    labelled: LabelledScores,
    cluster: NDArray[np.intp],
    context: Context,
    bootstrap: ClusterBootstrap,
    metrics: Sequence[str],
    *,
    interval: IntervalKind,
    baseline: int | None,
    systems: Systems = "these",
) -> LevelEstimates:
    """Compute the metrics of the systems' means, as of items, and what their intervals rest on.

    Parameters
    ----------
    labelled : LabelledScores
        Judges that scored the same rows.
    cluster : ndarray of shape (n_items,)
    context : Context
        What some metrics need besides; pairs of systems are compared whatever the clusters.
    bootstrap : ClusterBootstrap
        Of no resamples there are no intervals.
    metrics : sequence of str
    interval : {"jackknife", "percentile", "bca"}
        What was asked for; between systems there is one kind.
    baseline : int, optional
        The score that the others are compared with.
    systems : {"these", "alike"}
        What intervals speak of: these systems, or a population that they are drawn from.
    """
    assert labelled.system is not None
    labels, segment = segments_of(labelled.group, len(labelled))
    names, system = labelled.system.segments()
    columns = [labelled.human, *labelled.scores.values()]
    footing = {
        place: labelled.folded[name].footing(segment)
        for place, name in enumerate(labelled.scores)
        if name in labelled.folded
    }
    cells, place = np.unique(segment * len(names) + system, return_inverse=True)
    counts = np.bincount(place)

    def means(column: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(place, weights=column) / counts)

    human, *scores = map(means, columns)
    folded = {judge: Footing(means(one.rank), means(one.standard)) for judge, one in footing.items()}
    level = ItemLevel(
        human,
        scores,
        labels=labels,
        segment=cells // len(names),
        context=replace(context, cluster=None),
        of="systems",
        folded=folded,
    )
    for judge, one in footing.items():
        columns[judge + 1] = one.standard
    true = true_means(
        columns,
        segment=segment,
        n_segments=len(labels),
        system=system,
        text=context.cluster,
        seed=bootstrap.seed,
        systems=systems,
        wanted=bootstrap.resamples > 0,
    )
    points = level.values(np.ones((len(cells), 1)), metrics)[..., 0]
    parts = bootstrap.parts(cluster)
    return LevelEstimates(level, tuple(metrics), points, interval, None, None, parts, baseline, true)
