"""How well humans agree with each other: what a judge's figures can be compared with, and their upper bound."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.metrics import METRICS, OFF_SCALE
from .against_baseline import Settled
from .labelled_scores import LabelledScores
from .rater_figures import mean_over_raters
from .raters import Raters, ceiling, fixed_raters, raters_alpha
from .result import Estimate, HumanReference, Share

CEILING_METRICS = ("pearson", "spearman")


def no_reference(reason: str, *, n: int = 0, raters: int = 1) -> HumanReference:
    """Return an empty reference."""
    nothing = Estimate(None, None, None, reason)
    return HumanReference(n, raters, {}, nothing, nothing, {}, reason)


def human_reference(
    raters: Raters,
    settled: Settled,
    tables: Mapping[str, Mapping[str, Estimate]],
    *,
    off_scale: Collection[str] = (),
) -> HumanReference:
    """Compare the annotators with each other, and the judges with them."""
    several = raters.counts >= 2
    most = int(raters.counts.max(initial=0))
    if not several.any():
        return no_reference("only one score for each item is kept, no annotators", raters=most)
    if settled.level == "system":
        return no_reference("defined between items, not between systems", n=int(several.sum()), raters=most)
    human = _one_against_the_others(raters, settled)
    segment, n_segments = _segments(settled)
    fixed = fixed_raters(raters)
    top = _over_segments(partial(ceiling, fixed=fixed), raters, segment, n_segments)
    shares: dict[str, dict[str, Share]] = {}
    for batch in settled.labelled.batches():
        shares |= _shares(batch, raters, settled, tables, top, off_scale=off_scale)
    alpha = _over_segments(raters_alpha, raters, segment, n_segments)
    ordered = {name: shares[name] for name in settled.labelled.scores}
    return HumanReference(int(several.sum()), most, human, top, alpha, ordered, fixed_raters=fixed)


def _one_against_the_others(raters: Raters, settled: Settled) -> dict[str, Estimate]:
    """Return each metric of a rater against the mean of the others, the mean over raters, with its interval."""
    found = []
    for own, others in raters.against_the_others():
        held_out = _held_to(settled, others, {"human": own})
        found.append(held_out.estimate(np.ones(len(held_out.labelled), dtype=bool), ["human"]))
    return {name: mean_over_raters(found, m) for m, name in enumerate(settled.metrics)}


def _shares(
    batch: LabelledScores,
    raters: Raters,
    settled: Settled,
    tables: Mapping[str, Mapping[str, Estimate]],
    top: Estimate,
    *,
    off_scale: Collection[str],
) -> dict[str, dict[str, Share]]:
    """Return the shares of judges that scored the same rows: raters and judges are held to the same targets there."""
    rows = ~np.isnan(settled.labelled.scores[next(iter(batch.scores))])
    points = []
    for own, others in raters.against_the_others():
        targets = np.where(rows, others, np.nan)
        if np.isnan(targets).all():
            continue
        judges = {name: settled.labelled.scores[name] for name in batch.scores}
        held_out = _held_to(settled, targets, {"human": own, **judges}, without_draws=True)
        estimates = held_out.estimate(np.ones(len(held_out.labelled), dtype=bool), ["human", *judges])
        points.append(np.array([_mean_over_segments(values) for values in estimates.points]))
    shape = (1 + len(batch.scores), len(settled.metrics))
    figures = _mean_of_defined(np.array(points)) if points else np.full(shape, np.nan)
    return {
        name: {
            metric: Share(None, None, None, OFF_SCALE)
            if METRICS[metric].on_scale and name in off_scale
            else _share(metric, figures[s, m], figures[0, m], tables[name][metric].estimate, top.estimate)
            for m, metric in enumerate(settled.metrics)
        }
        for s, name in enumerate(batch.scores, start=1)
    }


def _share(metric: str, judge: float, human: float, in_table: float | None, top: float | None) -> Share:
    against = None if np.isnan(judge) else float(judge)
    if METRICS[metric].better != "higher":
        return Share(against, None, None, "an error or a description has no share")
    of_human = None if against is None or np.isnan(human) or human <= 0 else against / float(human)
    of_ceiling = None
    if metric in CEILING_METRICS and in_table is not None and top:
        of_ceiling = in_table / top
    reason = None if of_human is not None else "undefined, or raters agree no better than by chance"
    return Share(against, of_human, of_ceiling, reason)


def _held_to(
    settled: Settled,
    targets: NDArray[np.float64],
    scores: dict[str, NDArray[np.float64]],
    *,
    without_draws: bool = False,
) -> Settled:
    """Return the evaluation with other targets and scores, of the rows that have a target and every score."""
    keep = ~np.isnan(targets) & np.all([~np.isnan(values) for values in scores.values()], axis=0)
    labelled = replace(settled.labelled, human=targets, scores=scores).take(keep, list(scores))
    bootstrap = replace(settled.bootstrap, resamples=0) if without_draws else settled.bootstrap
    return settled._replace(
        labelled=labelled,
        cluster=settled.cluster[keep],
        context=settled.context.take(keep),
        bootstrap=bootstrap,
    )


def _segments(settled: Settled) -> tuple[NDArray[np.intp], int]:
    group = settled.labelled.group
    if settled.level == "pooled" or group is None:
        return np.zeros(len(settled.labelled), dtype=np.intp), 1
    labels, codes = group.segments()
    return codes, len(labels)


def _over_segments(figure: Any, raters: Raters, segment: NDArray[np.intp], n_segments: int) -> Estimate:
    """Return the mean of a figure of the annotators over segments; one without figure is left out and counted."""
    found = [figure(raters.take(segment == index)) for index in range(n_segments)]
    defined = [value for value in found if isinstance(value, float)]
    averaged = n_segments > 1
    groups, undefined = (len(defined), n_segments - len(defined)) if averaged else (None, None)
    if not defined:
        reasons = " or ".join(sorted({str(value) for value in found}))
        return Estimate(None, None, None, reasons, groups=groups, undefined_groups=undefined)
    spread = float(np.std(defined, ddof=1)) if len(defined) > 1 else None
    mean = float(np.mean(defined))
    return Estimate(mean, None, None, None, groups=groups, undefined_groups=undefined, spread=spread)


def _mean_over_segments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over segments, NaN left out: shape (n_metrics, n_segments) to (n_metrics,)."""
    return _mean_of_defined(values.T)


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over the first axis, NaN left out; NaN where nothing is defined."""
    defined = ~np.isnan(values)
    counts = defined.sum(axis=0)
    sums = np.where(defined, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))
