"""What a fit found between groups, kept beside what it found within them: one intercept for each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from .parameter_checks import is_number, is_vector, need

#: Where they are among an aggregator's parameters; nothing is there where a fit was for pooled agreement.
GROUP_INTERCEPTS = "group_intercepts"


def item_intercepts(parameters: Mapping[str, Any], readouts: Readouts) -> NDArray[np.float64] | float:
    """Return each item's intercept, shape (n_items,) or (n_items, n_outputs), 0.0 where there are none.

    A group that was not seen, as an item without one, has the mean of all.
    """
    learnt = parameters.get(GROUP_INTERCEPTS)
    if not learnt:
        return 0.0
    values = np.array(list(learnt.values()), dtype=np.float64)
    values = np.concatenate([values, values.mean(axis=0, keepdims=True)])
    if readouts.group is None:
        return np.asarray(np.repeat(values[-1:], len(readouts), axis=0))
    places = {name: place for place, name in enumerate(learnt)}
    return np.asarray(values[[places.get(name, len(places)) for name in readouts.group]])


def check_intercepts(name: str, parameters: Mapping[str, Any], n_outputs: int | None = None) -> None:
    """Raise `LagerError` unless what is there is a finite number a group, or one for each output of a head."""
    learnt = parameters.get(GROUP_INTERCEPTS, {})
    right = isinstance(learnt, dict)
    if n_outputs is None:
        right = right and is_vector(list(learnt.values())) and all(map(is_number, learnt.values()))
    else:
        right = right and all(is_vector(one, n_outputs) for one in learnt.values())
    need(right, name, f"finite numbers in `{GROUP_INTERCEPTS}`")


def named_intercepts(names: list[str | None], values: NDArray[np.float64]) -> dict[str, Any]:
    """Return the parameters of a fit, without the intercepts of items that have no group; empty without groups.

    `values` has the shape (n_groups,) or (n_groups, n_outputs), or is the latter laid out in a row.
    """
    by_group = values.reshape(len(names), -1) if len(values) != len(names) else values
    found = {name: value.tolist() for name, value in zip(names, by_group, strict=True) if name is not None}
    return {GROUP_INTERCEPTS: found} if found else {}
