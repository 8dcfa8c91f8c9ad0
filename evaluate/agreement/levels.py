"""Levels of agreement: over all items (pooled), inside each group, or between systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ..weighted.context import NOTHING, Context
from ..weighted.labels import Labels
from .item_level import ItemLevel
from .system_level import SystemLevel

LevelName = Literal["pooled", "group", "system"]


class Level(Protocol):
    """Scores and human scores arranged so that a metric gives one value per segment.

    Attributes
    ----------
    labels : tuple of str
        The segments' names: groups, or one empty name.
    sizes : ndarray of shape (n_segments,)
        What is compared in each: items, or systems.
    """

    labels: tuple[str, ...]
    sizes: NDArray[np.intp]

    def values(self, weights: NDArray[np.float64], metrics: Sequence[str]) -> NDArray[np.float64]:
        """Return each metric under weights: shape (n_scores, n_metrics, n_segments, n_resamples)."""
        ...

    def why_undefined(self, score: int, segment: int, metric: str) -> str:
        """Say why a metric of one score is undefined in a segment."""
        ...


def choose_level(level: str | None, *, grouped: bool, systems: bool) -> LevelName:
    """Return the level asked for; by default ``group`` where groups are declared, else ``pooled``.

    Raises
    ------
    LagerError
        When it is unknown, or needs a column that is not declared.
    """
    if level is None:
        return "group" if grouped else "pooled"
    declared = {"pooled": True, "group": grouped, "system": systems}
    if level not in declared:
        raise LagerError(f"unknown level {level!r}: choose from {', '.join(declared)}")
    if not declared[level]:
        raise LagerError(f"level {level} needs a {level} for each item and none is declared: use level pooled")
    return cast(LevelName, level)


def arrange(
    level: LevelName,
    human: NDArray[np.float64],
    scores: Sequence[NDArray[np.float64]],
    *,
    group: Labels | None,
    system: Labels | None,
    context: Context = NOTHING,
) -> Level:
    """Arrange items at a level.

    Systems are compared inside each group where groups are declared, as the field does for each criterion.
    """
    if level == "pooled" or (level == "group" and group is None):
        return ItemLevel(human, scores, labels=("",), segment=np.zeros(len(human), dtype=np.intp), context=context)
    labels, segment = (("",), np.zeros(len(human), dtype=np.intp)) if group is None else group.segments()
    if level == "group" or system is None:
        return ItemLevel(human, scores, labels=labels, segment=segment, context=context)
    return SystemLevel(human, scores, labels=labels, segment=segment, system=system.segments()[1], context=context)
