"""A figure, or a difference, that there is for every rater against the others: the mean over raters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .estimates import LevelEstimates, interval_of
from .evidence import Evidence
from .jackknife import effective_number
from .result import Estimate


def mean_over_raters(found: Sequence[LevelEstimates], metric: int, *, score: int = 0) -> Estimate:
    """Return the mean of a score's figures over raters with its interval; raters without a figure are left out."""
    known = [one for one in found if not np.isnan(one.points[score, metric]).all()]
    return _mean(known, [one.evidence(score, metric) for one in known], metric, difference=False)


def mean_difference(found: Sequence[LevelEstimates], metric: int, *, score: int = 0) -> Estimate:
    """Return the mean over raters of how much a score's figure exceeds the baseline's, which is the rater's own."""
    known = [one for one in found if not np.isnan(one.points[score, metric] - one.points[one.baseline, metric]).all()]
    return _mean(known, [one.surplus(score, metric) for one in known], metric, difference=True)


def _mean(known: Sequence[LevelEstimates], evidence: Sequence[Evidence], metric: int, *, difference: bool) -> Estimate:
    """Return a mean over raters with the interval of what it rests on."""
    if not known:
        return Estimate(None, None, None, "undefined for every rater")
    point = float(np.mean([one.point for one in evidence]))
    drawn = [one.resampled for one in evidence if one.resampled is not None]
    left_out, effective = _left_out(known, evidence)
    resampled = _mean_of_defined(np.array(drawn)) if drawn else None
    together = Evidence(known[0].kind, point, resampled, left_out, effective)
    interval = interval_of(known[0].metrics[metric], together, difference=difference)
    return Estimate(point, interval.low, interval.high, interval.reason, interval.undefined)


def _left_out(
    known: Sequence[LevelEstimates], evidence: Sequence[Evidence]
) -> tuple[NDArray[np.float64] | None, float]:
    """Return the mean over raters without each part; a part in which a rater has no item does not move its figure."""
    ids = np.unique(np.concatenate([one.parts.ids for one in known]))
    sizes, means = np.zeros(len(ids)), np.zeros(len(ids))
    for one, figure in zip(known, evidence, strict=True):
        place = np.searchsorted(ids, one.parts.ids)
        sizes[place] += one.parts.sizes
        if figure.left_out is None:
            return None, 1.0
        moved = np.full(len(ids), figure.point)
        moved[place] = figure.left_out
        means += moved / len(known)
    return means, effective_number(sizes)


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over the first axis, NaN left out; NaN where nothing is defined."""
    defined = ~np.isnan(values)
    counts = defined.sum(axis=0)
    sums = np.where(defined, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))
