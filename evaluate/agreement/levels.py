"""Levels of agreement: over all items (pooled), inside each group, or between systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ..weighted.context import NOTHING, Context
from ..weighted.labels import Labels
from .fold_scores import FoldScores
from .item_level import ItemLevel, PartialLevel

LevelName = Literal["pooled", "group", "system"]


def choose_level(level: str | None, *, grouped: bool, systems: bool) -> LevelName:
    """Return the level asked for; by default ``group`` where groups are declared, else ``pooled``."""
    if level is None:
        return "group" if grouped else "pooled"
    declared = {"pooled": True, "group": grouped, "system": systems}
    if level not in declared:
        raise LagerError(f"unknown level {level!r}: choose from {', '.join(declared)}")
    if not declared[level]:
        raise LagerError(f"level {level} needs a {level} for each item and none is declared: use level pooled")
    return cast(LevelName, level)


def segments_of(group: Labels | None, n: int) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Return the names of the groups and each item's; one without a name where none are declared."""
    return (("",), np.zeros(n, dtype=np.intp)) if group is None else group.segments()


def arrange(
    level: LevelName,
    human: NDArray[np.float64],
    scores: Sequence[NDArray[np.float64]],
    *,
    group: Labels | None,
    context: Context = NOTHING,
    folded: Mapping[int, FoldScores] | None = None,
) -> ItemLevel:
    """Arrange items at the level pooled or group; `folded` has judges, by their place, that were fitted by folds."""
    labels, segment = segments_of(None if level == "pooled" else group, len(human))
    footing = {place: one.footing(segment) for place, one in (folded or {}).items()}
    if context.column is not None:
        return PartialLevel(
            human, scores, context.column, labels=labels, segment=segment, context=context, folded=footing
        )
    return ItemLevel(human, scores, labels=labels, segment=segment, context=context, folded=footing)
