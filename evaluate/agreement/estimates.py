"""From metric values and bootstrap replicates at a level to estimates with intervals."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..metrics.metrics import METRICS, OFF_SCALE
from .bootstrap import JACKKNIFE_PARTS, ClusterBootstrap
from .intervals import Interval, IntervalKind, bca_interval, percentile_interval
from .levels import Level
from .result import Estimate, GroupAgreement

_GROUP_VALUES = 50_000_000  # replicates kept for intervals of single groups: 200 MB


@dataclass(frozen=True)
class LevelEstimates:
    """The figures of several scores at one level.

    Parameters
    ----------
    level : Level
        What was compared.
    metrics : tuple of str
        The second axis below.
    points : ndarray of shape (n_scores, n_metrics, n_segments)
        Values on the sample itself, NaN where undefined.
    replicates : ndarray of shape (n_scores, n_metrics, n_resamples)
        Means over the defined segments of each resample.
    n_clusters : int
        Clusters that were drawn from.
    group_replicates : ndarray of shape (n_scores, n_metrics, n_segments, n_resamples), float32, or None
        Values of each segment; None where they would take too much memory.
    jackknife : ndarray of shape (n_scores, n_metrics, n_parts), or None
        Means over the defined segments without each part of the sample; None unless BCa intervals are asked for.
    group_jackknife : ndarray of shape (n_scores, n_metrics, n_segments, n_parts), float32, or None
        The same for each segment.
    """

    level: Level
    metrics: tuple[str, ...]
    points: NDArray[np.float64]
    replicates: NDArray[np.float64]
    n_clusters: int
    group_replicates: NDArray[np.float32] | None
    jackknife: NDArray[np.float64] | None = None
    group_jackknife: NDArray[np.float32] | None = None

    def overall(self, score: int, *, averaged: bool, on_scale: bool) -> dict[str, Estimate]:
        """Return the estimate of each metric, the mean over segments where `averaged`."""
        return {
            name: self._mean(score, m, averaged=averaged)
            if on_scale or not METRICS[name].on_scale
            else Estimate(None, None, None, reason=OFF_SCALE)
            for m, name in enumerate(self.metrics)
        }

    def by_group(self, score: int, *, on_scale: bool) -> tuple[GroupAgreement, ...]:
        """Return the estimates of each segment."""
        return tuple(
            GroupAgreement(
                label,
                int(self.level.sizes[segment]),
                {
                    name: self._single(score, m, segment)
                    if on_scale or not METRICS[name].on_scale
                    else Estimate(None, None, None, reason=OFF_SCALE)
                    for m, name in enumerate(self.metrics)
                },
            )
            for segment, label in enumerate(self.level.labels)
        )

    def _mean(self, score: int, metric: int, *, averaged: bool) -> Estimate:
        points = self.points[score, metric]
        defined = points[~np.isnan(points)]
        groups, undefined_groups = (len(defined), len(points) - len(defined)) if averaged else (None, None)
        if not len(defined):
            name = self.metrics[metric]
            reasons = {self.level.why_undefined(score, segment, name) for segment in range(len(points))}
            reason = " or ".join(sorted(reasons)) + (f" in all {len(points)} groups" if averaged else "")
            return Estimate(None, None, None, reason, groups=groups, undefined_groups=undefined_groups)
        jackknife = None if self.jackknife is None else self.jackknife[score, metric]
        interval = self.interval(self.replicates[score, metric], float(defined.mean()), jackknife)
        spread = float(defined.std(ddof=1)) if averaged and len(defined) > 1 else None
        return Estimate(
            float(defined.mean()),
            interval.low,
            interval.high,
            interval.reason,
            interval.undefined,
            groups=groups,
            undefined_groups=undefined_groups,
            spread=spread,
        )

    def _single(self, score: int, metric: int, segment: int) -> Estimate:
        point = self.points[score, metric, segment]
        if np.isnan(point):
            return Estimate(None, None, None, self.level.why_undefined(score, segment, self.metrics[metric]))
        if self.group_replicates is None:
            return Estimate(float(point), None, None, "too many groups for intervals of each")
        jackknife = None if self.group_jackknife is None else self.group_jackknife[score, metric, segment]
        interval = self.interval(self.group_replicates[score, metric, segment], float(point), jackknife)
        return Estimate(float(point), interval.low, interval.high, interval.reason, interval.undefined)

    def interval(
        self, replicates: NDArray[np.floating[Any]], point: float, jackknife: NDArray[np.floating[Any]] | None
    ) -> Interval:
        """Return the interval; a single cluster, drawn again in every resample, has none."""
        if self.n_clusters == 1:
            return Interval(None, None, 0, "only one cluster")
        return percentile_interval(replicates) if jackknife is None else bca_interval(replicates, point, jackknife)


def estimate_level(
    level: Level,
    cluster: NDArray[np.intp],
    bootstrap: ClusterBootstrap,
    metrics: Sequence[str],
    *,
    interval: IntervalKind = "percentile",
    progress: Callable[[int], None] = lambda done: None,
) -> LevelEstimates:
    """Compute the metrics on the sample and on every resample.

    Parameters
    ----------
    level : Level
        The items, arranged.
    cluster : ndarray of shape (n_items,)
        Each item's cluster, in the order that the level was arranged from.
    bootstrap : ClusterBootstrap
        The draws.
    metrics : sequence of str
        Names of metrics.
    interval : {"percentile", "bca"}
        BCa takes as much work again for the jackknife.
    progress : callable
        Told how many more resamples are done.
    """
    points = level.values(np.broadcast_to(1.0, (len(cluster), 1)), metrics)[..., 0]
    under = _Weightings(level, metrics, points.shape)
    resamples = bootstrap.resamples if bootstrap.n_clusters > 1 else 0
    drawn = bootstrap.blocks(cluster) if resamples else ()
    replicates, by_group = under.values(drawn, resamples, progress)
    if interval == "percentile" or not resamples:
        return LevelEstimates(level, tuple(metrics), points, replicates, bootstrap.n_clusters, by_group)
    n_parts = min(bootstrap.n_clusters, JACKKNIFE_PARTS)
    left_out = under.values(bootstrap.jackknife(cluster), n_parts)
    return LevelEstimates(level, tuple(metrics), points, replicates, bootstrap.n_clusters, by_group, *left_out)


class _Weightings(NamedTuple):
    """Metrics at a level, to be computed under many weightings of the items."""

    level: Level
    metrics: Sequence[str]
    shape: tuple[int, ...]

    def values(
        self,
        blocks: Iterable[NDArray[np.float64]],
        n: int,
        progress: Callable[[int], None] = lambda done: None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        """Return the means over segments, and each segment's values where there is memory for them."""
        means = np.empty((*self.shape[:2], n))
        keep = self.shape[2] > 1 and int(np.prod(self.shape)) * n <= _GROUP_VALUES
        by_group = np.empty((*self.shape, n), dtype=np.float32) if keep else None
        done = 0
        for weights in blocks:
            values = self.level.values(weights, self.metrics)
            block = slice(done, done + weights.shape[1])
            means[..., block] = mean_of_defined(values)
            if by_group is not None:
                by_group[..., block] = values
            done = block.stop
            progress(weights.shape[1])
        if self.shape[2] == 1:
            by_group = means[:, :, None, :].astype(np.float32)
        return means, by_group


def mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over segments, the third axis, leaving NaN out; NaN where every segment is."""
    if values.shape[2] == 1:
        return values[:, :, 0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        return np.asarray(np.nanmean(values, axis=2))
