"""Items of groups that an aggregator has not learnt: they get the mean of all groups, and it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...train.aggregator.aggregator import Aggregator
from ...train.aggregator.learnt_groups import Ungrouped, learnt_groups, without_learnt_group


def unseen_groups(
    aggregators: Mapping[str, Sequence[Aggregator]], cache: FeatureCache, column: NDArray[np.object_] | None
) -> list[str]:
    """Return a note on each aggregator, one or one a fold, that learnt by group and not those of some valid items.

    `column` has the groups of all items, as they are scored by.
    """
    group, n = None if column is None else column[cache.valid], int(cache.valid.sum())
    notes = []
    for name, fitted in aggregators.items():
        without = np.zeros(n, dtype=bool)
        for one in fitted:
            without |= without_learnt_group(one, cache.scale, group, n)
        known = {name for one in fitted for name in learnt_groups(one, cache.scale) or ()}
        notes += [f"{name}: {line}" for line in Ungrouped().plus(without, group).note(known)]
    return notes
