"""Differences to a baseline from estimates that share their draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ..metrics.metrics import METRICS, OFF_SCALE
from ..weighted.context import Context
from .bootstrap import ClusterBootstrap
from .difference import Comparison, Difference, corrected, difference
from .estimates import LevelEstimates, estimate_level
from .intervals import IntervalKind
from .labelled_scores import LabelledScores
from .levels import LevelName, arrange
from .williams import Williams, not_applicable, williams_of


class Estimated(NamedTuple):
    """Where a judge's figures are: the estimates of its batch, its place there, and the batch's rows."""

    estimates: LevelEstimates
    place: int
    rows: NDArray[np.bool_]


class Paired(NamedTuple):
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
    interval : {"percentile", "bca"}
    """

    labelled: LabelledScores
    cluster: NDArray[np.intp]
    context: Context
    level: LevelName
    bootstrap: ClusterBootstrap
    metrics: tuple[str, ...]
    interval: IntervalKind

    def estimate(
        self, rows: NDArray[np.bool_], names: Sequence[str], *, progress: Callable[[int], None] = lambda done: None
    ) -> LevelEstimates:
        """Return the estimates of some judges on some labelled rows, at the level."""
        part = self.labelled.take(rows, names)
        context = replace(self.context.take(rows), judges=tuple(names))
        arranged = arrange(
            self.level, part.human, list(part.scores.values()), group=part.group, system=part.system, context=context
        )
        return estimate_level(
            arranged, self.cluster[rows], self.bootstrap, self.metrics, interval=self.interval, progress=progress
        )

    def compare(self, baseline: str, found: Mapping[str, Estimated], off_scale: Collection[str]) -> Comparison:
        """Compare every judge with the baseline, on the items that both scored.

        Raises
        ------
        LagerError
            When the baseline is not among the judges.
        """
        if baseline not in found:
            raise LagerError(f"the baseline {baseline!r} is not evaluated: choose from {', '.join(found)}")
        others = [name for name in self.labelled.scores if name != baseline]
        out = {name: self._differences(name, baseline, found, off_scale) for name in others}
        return Comparison(baseline, self.level, corrected(out, self.metrics))

    def _differences(
        self, name: str, baseline: str, found: Mapping[str, Estimated], off_scale: Collection[str]
    ) -> dict[str, Difference]:
        one, base = found[name], found[baseline]
        rows = one.rows & base.rows
        if one.estimates is not base.estimates:
            if not rows.any():
                return dict.fromkeys(
                    self.metrics, Difference(None, None, None, None, None, 0, "no item that both scored")
                )
            both = self.estimate(rows, [name, baseline])
            one, base = Estimated(both, 0, rows), Estimated(both, 1, rows)
        out = {}
        for m, metric in enumerate(self.metrics):
            if METRICS[metric].on_scale and {name, baseline} & set(off_scale):
                out[metric] = Difference(None, None, None, None, None, int(rows.sum()), OFF_SCALE)
                continue
            result = _one_difference(one, base, m, n=int(rows.sum()))
            if metric == "pearson":
                result = Difference(**{**vars(result), "williams": self._williams(name, baseline, rows)})
            out[metric] = result
        return out

    def _williams(self, name: str, baseline: str, rows: NDArray[np.bool_]) -> Williams:
        if self.level != "pooled":
            return not_applicable(f"for pooled figures only, these are of level {self.level}")
        if self.labelled.cluster is not None:
            return not_applicable("clusters are declared, so items are not independent")
        scores = self.labelled.scores
        return williams_of(self.labelled.human[rows], scores[name][rows], scores[baseline][rows])


def _one_difference(one: Estimated, base: Estimated, metric: int, *, n: int) -> Difference:
    estimates = one.estimates
    points = (each.estimates.points[each.place, metric] for each in (one, base))
    defined = (values[~np.isnan(values)] for values in points)
    figures = [float(values.mean()) if len(values) else None for values in defined]
    replicates = estimates.replicates[one.place, metric] - estimates.replicates[base.place, metric]
    jackknife = None
    if estimates.jackknife is not None:
        jackknife = estimates.jackknife[one.place, metric] - estimates.jackknife[base.place, metric]
    point = 0.0 if None in figures else figures[0] - figures[1]  # type: ignore[operator]
    interval = estimates.interval(replicates, point, jackknife)
    return difference(figures[0], figures[1], replicates, interval, n=n)
