"""What makes a judge's figures beside raters mean little: another scale, or the raters' own scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.items.raters import RaterScores
from ...data.scale import Scale

_ROUNDING = 1e-9


def refuse_own_raters(scores: Path | None, raters: Sequence[str], external: Sequence[str]) -> None:
    """Refuse a judge that is one of the raters' columns."""
    for spec in external:
        path, _, column = spec.rpartition(":")
        if scores is not None and column in raters and Path(path).resolve() == scores.resolve():
            raise LagerError(
                f"--external {spec}: the column is one of --raters, and nobody judges in their own place; leave it out "
                "of one of the two"
            )


def judge_notes(name: str, scores: NDArray[np.float64], raters: RaterScores, scale: Scale | None) -> Iterator[str]:
    """Yield what a reader should know of one judge's scores beside the raters'."""
    given = raters.scores[~np.isnan(raters.scores)]
    low, high = (given.min(), given.max()) if scale is None else (scale.low, scale.high)
    known = scores[~np.isnan(scores)]
    outside = float(np.mean((known < low - _ROUNDING) | (known > high + _ROUNDING)))
    if outside:
        whose = "the raters' scores" if scale is None else "the scale"
        yield f"{name}: {outside:.1%} of its scores lie outside the range of {whose}, {low:g} to {high:g}"
    for rater, column in zip(raters.names, raters.scores.T, strict=True):
        if n := _equal(scores, column):
            yield f"{name}: it has the very scores of rater {rater} on all {n} items, and may be no judge of its own"
    present = ~np.isnan(raters.scores)
    counts = present.sum(axis=1)
    sums = np.where(present, raters.scores, 0.0).sum(axis=1)
    means = np.where(counts >= 2, sums / np.maximum(counts, 1), np.nan)
    if n := _equal(scores, means):
        yield f"{name}: it is the mean of the raters on all {n} items, and may be made of their scores"


def _equal(scores: NDArray[np.float64], others: NDArray[np.float64]) -> int:
    """Return on how many items two columns are one, 0 where they differ on any or share none."""
    both = ~np.isnan(scores) & ~np.isnan(others)
    return int(both.sum()) if (np.abs(scores[both] - others[both]) <= _ROUNDING).all() else 0
