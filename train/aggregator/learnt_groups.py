"""Which groups an aggregator learnt something for, and which items are in none of these: they get the mean of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.scale import Scale
from .aggregator import Aggregator
from .group_intercepts import GROUP_INTERCEPTS

_BY_GROUP = (GROUP_INTERCEPTS, "group_means")
_LISTED = 3


def learnt_groups(aggregator: Aggregator, scale: Scale) -> frozenset[str] | None:
    """Return the groups that something was learnt for; None where scores on this scale depend on no group.

    Of a mean of aggregators, the groups that all of those know which know any.
    """
    if members := aggregator.definition.members(aggregator):
        known = [groups for one in members if (groups := _learnt(one.parameters, aggregator, scale)) is not None]
        return frozenset.intersection(*known) if known else None
    return _learnt(aggregator.parameters, aggregator, scale)


def _learnt(parameters: Mapping[str, Any], aggregator: Aggregator, scale: Scale) -> frozenset[str] | None:
    learnt = [parameters[key] for key in _BY_GROUP if key in parameters]
    if not learnt or scale.values != aggregator.scale.values:  # intercepts are left out on other scales
        return None
    return frozenset(group for by_group in learnt for group in by_group)


def without_learnt_group(
    aggregator: Aggregator, scale: Scale, group: NDArray[np.object_] | None, n_items: int
) -> NDArray[np.bool_]:
    """Return which items get the mean of all groups: their group is unknown, or missing where others are known."""
    known = learnt_groups(aggregator, scale)
    if known is None:
        return np.zeros(n_items, dtype=bool)
    allowed = known or {None}
    names = [None] * n_items if group is None else group
    return np.fromiter((name not in allowed for name in names), dtype=bool, count=n_items)


class Ungrouped(NamedTuple):
    """How many items are in no group that was learnt, of how many, and the first few other groups that they have."""

    n: int = 0
    n_items: int = 0
    unknown: tuple[str, ...] = ()

    def plus(self, without: NDArray[np.bool_], group: NDArray[np.object_] | None) -> Ungrouped:
        """Return the counts with more items; `without` is `without_learnt_group` of them."""
        names = set[str]() if group is None else {name for name in group[without] if name is not None}
        unknown = sorted({*self.unknown, *names})[: _LISTED + 1]  # one more than is shown
        return Ungrouped(self.n + int(without.sum()), self.n_items + len(without), tuple(unknown))

    def note(self, known: Iterable[str]) -> list[str]:
        """Return a line on them, none where all items are in groups that were learnt."""
        if not self.n:
            return []
        told = f"an intercept or mean for each group ({_listed(sorted(known)) or 'none'})"
        theirs = f" (they have {_listed(self.unknown)})" if self.unknown else ""
        return [
            f"the aggregator has {told}: {self.n} of {self.n_items} items are in none of these{theirs}, and get the "
            "mean of all"
        ]


def _listed(names: Sequence[str]) -> str:
    """Return the first of some names."""
    return ", ".join([*names[:_LISTED], *(["..."] if len(names) > _LISTED else [])])
