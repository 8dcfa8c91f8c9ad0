"""Each metric of one rater, the mean over raters, from the estimates of every rater against the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .estimates import LevelEstimates, interval_of
from .evidence import Evidence
from .jackknife import effective_number
from .result import Estimate


def mean_over_raters(found: Sequence[LevelEstimates], metric: int) -> Estimate:
    """Return the mean of the raters' figures with its interval; raters without a figure are left out."""
    known = [one for one in found if not np.isnan(one.points[0, metric]).all()]
    if not known:
        return Estimate(None, None, None, "undefined for every rater")
    evidence = [one.evidence(0, metric) for one in known]
    point = float(np.mean([one.point for one in evidence]))
    drawn = [one.resampled for one in evidence if one.resampled is not None]
    left_out, effective = _left_out(known, evidence)
    resampled = _mean_of_defined(np.array(drawn)) if drawn else None
    together = Evidence(known[0].kind, point, resampled, left_out, effective)
    interval = interval_of(known[0].metrics[metric], together)
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
