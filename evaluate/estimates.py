"""From metric values and bootstrap replicates at a level to estimates with intervals."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .interval import Interval, percentile_interval
from .levels import Level
from .metrics import METRICS
from .resample import ClusterBootstrap
from .result import Estimate, GroupAgreement

OFF_SCALE = "not on the human score scale"
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
    """

    level: Level
    metrics: tuple[str, ...]
    points: NDArray[np.float64]
    replicates: NDArray[np.float64]
    n_clusters: int
    group_replicates: NDArray[np.float32] | None

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
            reasons = {self.level.why_undefined(score, segment) for segment in range(len(points))}
            reason = " or ".join(sorted(reasons)) + (f" in all {len(points)} groups" if averaged else "")
            return Estimate(None, None, None, reason, groups=groups, undefined_groups=undefined_groups)
        interval = self._interval(self.replicates[score, metric])
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
            return Estimate(None, None, None, self.level.why_undefined(score, segment))
        if self.group_replicates is None:
            return Estimate(float(point), None, None, "too many groups for intervals of each")
        interval = self._interval(self.group_replicates[score, metric, segment])
        return Estimate(float(point), interval.low, interval.high, interval.reason, interval.undefined)

    def _interval(self, replicates: NDArray[np.floating[Any]]) -> Interval:
        """Return the percentile interval; a single cluster, drawn again in every resample, has none."""
        if self.n_clusters == 1:
            return Interval(None, None, 0, "only one cluster")
        return percentile_interval(replicates)


def estimate_level(
    level: Level,
    cluster: NDArray[np.intp],
    bootstrap: ClusterBootstrap,
    metrics: Sequence[str],
    *,
    progress: Callable[[int], None],
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
    progress : callable
        Told how many more resamples are done.
    """
    points = level.values(np.ones((len(cluster), 1)), metrics)[..., 0]
    resamples = bootstrap.resamples if bootstrap.n_clusters > 1 else 0
    n_segments = points.shape[2]
    replicates = np.empty((*points.shape[:2], resamples))
    keep = n_segments > 1 and points.size * resamples <= _GROUP_VALUES
    by_group = np.empty((*points.shape, resamples), dtype=np.float32) if keep else None
    done = 0
    for weights in bootstrap.blocks(cluster) if resamples else ():
        values = level.values(weights, metrics)
        block = slice(done, done + weights.shape[1])
        replicates[..., block] = mean_of_defined(values)
        if by_group is not None:
            by_group[..., block] = values
        done = block.stop
        progress(weights.shape[1])
    if n_segments == 1:
        by_group = replicates[:, :, None, :].astype(np.float32)
    return LevelEstimates(level, tuple(metrics), points, replicates, bootstrap.n_clusters, by_group)


def mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over segments, the third axis, leaving NaN out; NaN where every segment is."""
    if values.shape[2] == 1:
        return values[:, :, 0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        return np.asarray(np.nanmean(values, axis=2))
