"""Differences to a baseline from estimates that share their draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..metrics.metrics import METRICS, OFF_SCALE
from ..weighted.context import Context
from .bootstrap import ClusterBootstrap
from .difference import Comparison, Difference, corrected, no_difference
from .estimates import LevelEstimates, estimate_level
from .intervals import NO_RESAMPLES, IntervalKind
from .labelled_scores import LabelledScores
from .levels import LevelName, arrange
from .system_level import estimate_systems
from .true_means import Systems
from .williams import Williams, not_applicable, williams_of


class Estimated(NamedTuple):
    """Where a judge's figures are: the estimates of its batch, its place there, and the batch's rows."""

    estimates: LevelEstimates
    place: int
    rows: NDArray[np.bool_]


class Settled(NamedTuple):
    """What differences are taken from: everything an evaluation settled before.

    Parameters
    ----------
    labelled : LabelledScores
        All judges.
    cluster : ndarray of shape (n_labelled,)
        Each item's cluster code.
    context : Context
        Of all labelled rows.
    level : {"pooled", "group", "system"}
    bootstrap : ClusterBootstrap
    metrics : tuple of str
    interval : {"jackknife", "percentile", "bca"}
    systems : {"these", "alike"}
    """

    labelled: LabelledScores
    cluster: NDArray[np.intp]
    context: Context
    level: LevelName
    bootstrap: ClusterBootstrap
    metrics: tuple[str, ...]
    interval: IntervalKind
    systems: Systems

    def estimate(
        self,
        rows: NDArray[np.bool_],
        names: Sequence[str],
        *,
        baseline: str | None = None,
        progress: Callable[[float], None] = lambda done: None,
    ) -> LevelEstimates:
        """Return the estimates of some judges on some labelled rows, at the level; with a baseline among them."""
        part = self.labelled.take(rows, names)
        context = replace(self.context.take(rows), judges=tuple(names))
        place = names.index(baseline) if baseline in names else None
        cluster, kind = self.cluster[rows], self.interval
        if self.level == "system" and part.system is not None:
            return estimate_systems(
                part,
                cluster,
                context,
                self.bootstrap,
                self.metrics,
                interval=kind,
                baseline=place,
                systems=self.systems,
            )
        folded = {index: part.folded[name] for index, name in enumerate(names) if name in part.folded}
        scores = list(part.scores.values())
        arranged = arrange(self.level, part.human, scores, group=part.group, context=context, folded=folded)
        return estimate_level(
            arranged, cluster, self.bootstrap, self.metrics, interval=kind, baseline=place, progress=progress
        )

    @property
    def averaged(self) -> bool:
        """Whether figures are means over groups."""
        return self.level != "pooled" and self.labelled.group is not None

    def compare(self, baseline: str, found: Mapping[str, Estimated], off_scale: Collection[str]) -> Comparison:
        """Compare every judge with the baseline, on the items that both scored and the groups that both rank."""
        others = [name for name in self.labelled.scores if name != baseline]
        out = {name: self._differences(name, baseline, found, off_scale) for name in others}
        return Comparison(baseline, self.level, corrected(out, self.metrics))

    def _differences(
        self, name: str, baseline: str, found: Mapping[str, Estimated], off_scale: Collection[str]
    ) -> dict[str, Difference]:
        one, base = found[name], found[baseline]
        rows = one.rows & base.rows
        n = int(rows.sum())
        if one.estimates is not base.estimates:
            if not n:
                return dict.fromkeys(self.metrics, no_difference(0, "no item that both scored"))
            one = Estimated(self.estimate(rows, [name, baseline], baseline=baseline), 0, rows)
        out = {}
        for m, metric in enumerate(self.metrics):
            if METRICS[metric].on_scale and {name, baseline} & set(off_scale):
                out[metric] = no_difference(n, OFF_SCALE)
                continue
            result = _one_difference(one, m, n=n, averaged=self.averaged)
            if metric == "pearson":
                result = replace(result, williams=self._williams(name, baseline, rows))
            out[metric] = result
        return out

    def _williams(self, name: str, baseline: str, rows: NDArray[np.bool_]) -> Williams:
        if self.level != "pooled":
            return not_applicable(f"for pooled figures only, these are of level {self.level}")
        if self.labelled.cluster is not None:
            return not_applicable("clusters are declared, so items are not independent")
        if self.labelled.together is not None:
            return not_applicable("rows of one prompt are not independent")
        scores = self.labelled.scores
        return williams_of(self.labelled.human[rows], scores[name][rows], scores[baseline][rows])


def _one_difference(one: Estimated, metric: int, *, n: int, averaged: bool) -> Difference:
    """Return an uncorrected difference to the baseline, over the groups in which both figures are defined."""
    estimates = one.estimates
    figures, bases = estimates.points[one.place, metric], estimates.points[estimates.baseline, metric]
    both = ~np.isnan(figures) & ~np.isnan(bases)
    groups, undefined = (int(both.sum()), int((~both).sum())) if averaged else (None, None)
    if not both.any():
        missing = "no group in which both figures are defined"
        if np.isnan(figures).all():
            missing = "the figure is undefined"
        elif np.isnan(bases).all():
            missing = "the baseline's figure is undefined"
        return replace(no_difference(n, missing), groups=groups, undefined_groups=undefined)
    point = float((figures[both] - bases[both]).mean())
    interval, p = estimates.difference(one.place, metric)
    reason = interval.reason if interval.reason != NO_RESAMPLES else "no resamples: no test"
    return Difference(point, interval.low, interval.high, p, None, n, reason, groups=groups, undefined_groups=undefined)
