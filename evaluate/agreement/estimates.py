"""From metric values at a level, on the sample and under its weightings, to estimates with intervals."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..metrics.metrics import METRICS, OFF_SCALE
from .bootstrap import ClusterBootstrap, Parts
from .evidence import Evidence
from .intervals import DEFAULT_INTERVAL, Interval, IntervalKind
from .item_level import ItemLevel
from .jackknife import NO_VARIATION, effective_number
from .result import Estimate, GroupAgreement
from .true_means import TrueMeans

_GROUP_VALUES = 50_000_000  # values kept for intervals of single groups: 200 MB


class Weighted(NamedTuple):
    """Figures under many weightings of the items.

    Parameters
    ----------
    means : ndarray of shape (n_scores, n_metrics, n_weightings)
        Means over segments.
    by_group : ndarray of shape (n_scores, n_metrics, n_segments, n_weightings), float32, or None
        Values of each segment; None where they would take too much memory.
    surplus : ndarray of shape (n_scores, n_metrics, n_weightings), or None
        Means over segments of the difference to the baseline, None where there is none.
    """

    means: NDArray[np.float64]
    by_group: NDArray[np.float32] | None
    surplus: NDArray[np.float64] | None


@dataclass(frozen=True)
class LevelEstimates:
    """The figures of several scores at one level.

    Parameters
    ----------
    level : ItemLevel
        What was compared.
    metrics : tuple of str
        The second axis below.
    points : ndarray of shape (n_scores, n_metrics, n_segments)
        Values on the sample itself, NaN where undefined.
    kind : {"jackknife", "percentile", "bca"}
        Of the intervals.
    resampled : Weighted or None
        On bootstrap resamples; means are over the segments that are defined there.
    left_out : Weighted or None
        Without each part of the sample.
    parts : Parts
        These parts.
    baseline : int or None
        The score that the others are compared with.
    true_means : TrueMeans or None
        What intervals rest on at the system level, in place of all of this.
    """

    level: ItemLevel
    metrics: tuple[str, ...]
    points: NDArray[np.float64]
    kind: IntervalKind
    resampled: Weighted | None
    left_out: Weighted | None
    parts: Parts
    baseline: int | None = None
    true_means: TrueMeans | None = None

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

    def evidence(self, score: int, metric: int) -> Evidence:
        """Return what the interval of a mean over segments rests on."""
        point = float(mean_of_defined(self.points[score, metric][None, None, :, None])[0, 0, 0])
        resampled, left_out = (None if of is None else of.means[score, metric] for of in self._weighted)
        return Evidence(self.kind, point, resampled, left_out, self._effective(metric, self.parts.sizes))

    def surplus(self, score: int, metric: int) -> Evidence:
        """Return what the interval of a difference to the baseline rests on: segments where both are defined."""
        assert self.baseline is not None
        point = float(np.nanmean(self.points[score, metric] - self.points[self.baseline, metric]))
        resampled, left_out = (
            None if of is None or of.surplus is None else of.surplus[score, metric] for of in self._weighted
        )
        return Evidence(self.kind, point, resampled, left_out, self._effective(metric, self.parts.sizes))

    @property
    def _weighted(self) -> tuple[Weighted | None, Weighted | None]:
        return self.resampled, self.left_out

    def _effective(self, metric: int, sizes: NDArray[np.intp]) -> float:
        masses = sizes[sizes > 0].astype(np.float64)
        return effective_number(masses**2 if METRICS[self.metrics[metric]].of_pairs else masses)

    def _mean(self, score: int, metric: int, *, averaged: bool) -> Estimate:
        points, name = self.points[score, metric], self.metrics[metric]
        defined = points[~np.isnan(points)]
        groups, undefined_groups = (len(defined), len(points) - len(defined)) if averaged else (None, None)
        if not len(defined):
            reasons = {self.level.why_undefined(score, segment, name) for segment in range(len(points))}
            reason = " or ".join(sorted(reasons)) + (f" in all {len(points)} groups" if averaged else "")
            return Estimate(None, None, None, reason, groups=groups, undefined_groups=undefined_groups)
        if self.true_means is not None:
            interval = self.true_means.interval(name, score, points)
        else:
            interval = interval_of(name, self.evidence(score, metric))
        return Estimate(
            float(defined.mean()),
            interval.low,
            interval.high,
            interval.reason,
            interval.undefined,
            groups=groups,
            undefined_groups=undefined_groups,
            spread=float(defined.std(ddof=1)) if averaged and len(defined) > 1 else None,
        )

    def _single(self, score: int, metric: int, segment: int) -> Estimate:
        point, name = float(self.points[score, metric, segment]), self.metrics[metric]
        if np.isnan(point):
            return Estimate(None, None, None, self.level.why_undefined(score, segment, name))
        if self.true_means is not None:
            only = np.where(np.arange(len(self.level.labels)) == segment, self.points[score, metric], np.nan)
            interval = self.true_means.interval(name, score, only)
            return Estimate(point, interval.low, interval.high, interval.reason)
        if any(of is not None and of.by_group is None for of in self._weighted):
            return Estimate(point, None, None, "too many groups for intervals of each")
        sizes = self._sizes[segment]
        resampled, left_out = (
            None if of is None or of.by_group is None else of.by_group[score, metric, segment] for of in self._weighted
        )
        left_out = None if left_out is None else left_out[sizes > 0]
        evidence = Evidence(self.kind, point, resampled, left_out, self._effective(metric, sizes))
        interval = interval_of(name, evidence)
        return Estimate(point, interval.low, interval.high, interval.reason, interval.undefined)

    def difference(self, score: int, metric: int) -> tuple[Interval, float | None]:
        """Return the interval of a difference to the baseline, and its p-value."""
        name = self.metrics[metric]
        if self.true_means is not None:
            assert self.baseline is not None
            observed = self.points[score, metric] - self.points[self.baseline, metric]
            return self.true_means.difference(name, score, self.baseline, observed)
        evidence = self.surplus(score, metric)
        interval = interval_of(name, evidence, difference=True)
        return interval, evidence.p_value() if interval.low is not None or interval.reason == NO_VARIATION else None

    @property
    def _sizes(self) -> NDArray[np.intp]:
        """Items of each part in each segment: shape (n_segments, n_parts)."""
        if len(self.level.labels) == 1:
            return self.parts.sizes[None]
        return self.parts.by_segment(self.level.segment, len(self.level.labels))


def interval_of(metric: str, evidence: Evidence, *, difference: bool = False) -> Interval:
    """Return the interval of a metric, or of a difference in it; none where resampling is wrong about its error."""
    without = METRICS[metric].no_interval
    if without is not None and (evidence.resampled is not None or evidence.left_out is not None):
        return Interval(None, None, 0, without)
    return evidence.interval("difference" if difference else METRICS[metric].space)


def estimate_level(
    level: ItemLevel,
    cluster: NDArray[np.intp],
    bootstrap: ClusterBootstrap,
    metrics: Sequence[str],
    *,
    interval: IntervalKind = DEFAULT_INTERVAL,
    baseline: int | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> LevelEstimates:
    """Compute the metrics on the sample and under all weightings that the intervals need.

    Parameters
    ----------
    level : ItemLevel
        The items, arranged.
    cluster : ndarray of shape (n_items,)
        Each item's cluster, in the order that the level was arranged from.
    bootstrap : ClusterBootstrap
        The draws; of no resamples there are no intervals.
    metrics : sequence of str
        Names of metrics.
    interval : {"jackknife", "percentile", "bca"}
        BCa takes both, resamples and what the jackknife leaves out.
    baseline : int, optional
        The score that the others are compared with.
    progress : callable
        Told which fraction of the weightings is done more.
    """
    points = level.values(np.broadcast_to(1.0, (len(cluster), 1)), metrics)[..., 0]
    parts = bootstrap.parts(cluster)
    n_drawn = 0 if interval == "jackknife" or bootstrap.n_clusters == 1 else bootstrap.resamples
    n_parts = 0 if not bootstrap.resamples or (n_drawn and interval == "percentile") else len(parts.ids)
    step = 1 / max(1, n_drawn + n_parts)
    under = _Weightings(level, metrics, points, baseline, lambda more: progress(more * step))
    resampled = under.values(bootstrap.blocks(cluster), n_drawn) if n_drawn else None
    left_out = under.values(parts.left_out(), n_parts, same_segments=True) if n_parts else None
    return LevelEstimates(level, tuple(metrics), points, interval, resampled, left_out, parts, baseline)


class _Weightings(NamedTuple):
    """Metrics at a level, to be computed under many weightings of the items."""

    level: ItemLevel
    metrics: Sequence[str]
    points: NDArray[np.float64]
    baseline: int | None
    progress: Callable[[int], None]

    def values(self, blocks: Iterable[NDArray[np.float64]], n: int, *, same_segments: bool = False) -> Weighted:
        """Return the means over segments, and each segment's values where there is memory for them.

        With `same_segments` a segment that is undefined under a weighting is taken to have moved as the mean of the
        others did: figures without a part would else be means over other segments than the figure itself.
        """
        shape = self.points.shape
        means = np.empty((*shape[:2], n))
        surplus = None if self.baseline is None else np.empty((*shape[:2], n))
        keep = shape[2] > 1 and int(np.prod(shape)) * n <= _GROUP_VALUES
        by_group = np.empty((*shape, n), dtype=np.float32) if keep else None
        done = 0
        for weights in blocks:
            values = self.level.values(weights, self.metrics)
            block = slice(done, done + weights.shape[1])
            means[..., block] = _over_segments(values, self.points if same_segments else None)
            if surplus is not None:
                points = self.points - self.points[self.baseline]
                surplus[..., block] = _over_segments(values - values[self.baseline], points if same_segments else None)
            if by_group is not None:
                by_group[..., block] = values
            done = block.stop
            self.progress(weights.shape[1])
        if shape[2] == 1:
            by_group = means[:, :, None, :].astype(np.float32)
        return Weighted(means, by_group, surplus)


def _over_segments(values: NDArray[np.float64], points: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Average over segments, NaN left out; given `points`, average the changes from them and add their mean."""
    if points is None or values.shape[2] == 1:
        return mean_of_defined(values)
    return mean_of_defined(values - points[..., None]) + mean_of_defined(points[..., None])


def mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over segments, the third axis, leaving NaN out; NaN where every segment is."""
    if values.shape[2] == 1:
        return values[:, :, 0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        return np.asarray(np.nanmean(values, axis=2))
