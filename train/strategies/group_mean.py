"""`group-mean`: what a table would show for a judge that knows the criterion and nothing of the text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts


def learn_group_means(train: Readouts, weight: NDArray[np.float64]) -> dict[str, Any]:
    """Return the weighted mean human score, over all items and by group.

    Parameters
    ----------
    weight : ndarray of shape (n_items,)
        How much each item counts; sum 1.
    """
    means: dict[str, float] = {}
    if train.group is not None:
        numbers: dict[str | None, int] = {}
        codes = np.array([numbers.setdefault(group, len(numbers)) for group in train.group], dtype=np.intp)
        totals = np.bincount(codes, weights=weight * train.human) / np.bincount(codes, weights=weight)
        means = {group: float(totals[code]) for group, code in numbers.items() if group is not None}
    return {"mean": float(weight @ train.human), "group_means": dict(sorted(means.items()))}
