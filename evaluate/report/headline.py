"""The sentence that a report opens with: the best strategy, how it agrees, beside the baseline and beside one rater."""

from __future__ import annotations

from collections.abc import Iterator

from ..agreement.difference import Difference
from ..agreement.intervals import NO_RESAMPLES
from ..agreement.result import Estimate
from ..alt_test.one_more_rater import METRICS_HERE
from ..evaluation.evaluation import Evaluation
from ..metrics.metrics import METRICS
from ..tables.table import decimal
from .beside_raters import beside_one_more, named_raters
from .marks import LEVELS, best_strategies


def opening(evaluation: Evaluation) -> str:
    """Return what a reader should take away, in a few sentences, and no more than the figures carry."""
    metric = next((name for name in evaluation.shown if METRICS[name].better is not None), None)
    if metric is None:
        return "The metrics shown are descriptions, and name no best strategy."
    best = sorted(best_strategies(evaluation, [metric])[metric])
    if not best:
        return f"No strategy can be named the best in {METRICS[metric].title}: {_why_none(evaluation, metric)}."
    said = [
        _agreement(evaluation, best, metric),
        *_against_baseline(evaluation, best[0], metric),
        _beside_a_rater(evaluation, best[0], metric),
    ]
    return " ".join(said)


def _why_none(evaluation: Evaluation, metric: str) -> str:
    """Return why no strategy has a figure that may compete."""
    if all(one.in_sample for one in evaluation.scored):
        return "all were fitted to evaluated rows"
    reasons = {one.metrics[metric].reason for one in evaluation.agreement.strategies} - {None}
    return f"it is undefined ({' or '.join(sorted(map(str, reasons)))})" if reasons else "it is undefined"


def _agreement(evaluation: Evaluation, best: list[str], metric: str) -> str:
    """Return the best figure, and whether it is shown to be any agreement at all."""
    one = evaluation.agreement[best[0]].metrics[metric]
    title, level = METRICS[metric].title, LEVELS[evaluation.agreement.level]
    figure = f"{title} {_figure(one)}, {level}"
    estimate = one.estimate or 0.0
    if METRICS[metric].space == "correlation" and (estimate <= 0 or (one.low is not None and one.low <= 0)):
        why = "is 0 or below" if estimate <= 0 else "has an interval that holds 0"
        return f"No strategy is shown to agree with people: the best, {best[0]}, {why} ({figure})."
    others = f" (as do {', '.join(best[1:])}, with the same figure)" if len(best) > 1 else ""
    n = len(evaluation.agreement.strategies)
    of = f", best of {n}" if n > 1 else ""
    return f"{best[0]} agrees with people at {figure}{of}{others}."


def _against_baseline(evaluation: Evaluation, best: str, metric: str) -> Iterator[str]:
    """Yield whether the best strategy is better than the baseline."""
    comparison = evaluation.agreement.comparison
    if len(evaluation.agreement.strategies) < 2:
        return
    if comparison is None:
        yield "No baseline was named, so that nothing says whether it is better than another."
    elif best == comparison.baseline:
        yield f"That is the baseline: nothing has a better figure than {best}."
    else:
        yield _difference(comparison.differences[best][metric], comparison.baseline, metric)


def _difference(one: Difference, baseline: str, metric: str) -> str:
    if one.difference is None:
        return f"It cannot be compared with the baseline {baseline}: {one.reason}."
    size = f"{decimal(abs(one.difference))} {'above' if one.difference > 0 else 'below'}"
    ends = _ends(one.low, one.high)
    if one.significant:
        return f"That is {size} the baseline {baseline} (difference{ends}), more than chance after Holm's correction."
    tested = "" if one.p_holm is None else f", p {decimal(one.p_holm, 2)} after Holm's correction"
    return (
        f"It is not shown to be better than the baseline {baseline} ({size}, difference{ends or ' untested'}{tested})."
    )


def _beside_a_rater(evaluation: Evaluation, best: str, metric: str) -> str:
    """Return how the best strategy stands beside one rater, with an interval where raters have names."""
    raters = named_raters(evaluation) if metric in METRICS_HERE and evaluation.agreement.level != "system" else None
    scored = next(one for one in evaluation.scored if one.name == best)
    beside = None if raters is None else beside_one_more(evaluation, scored, raters, metric=metric)
    if beside is not None and beside.difference.estimate is not None:
        one, gap = beside.difference, beside.difference.estimate
        told = (
            f"One rater reaches {decimal(beside.rater.estimate)} against the mean of the others, and {best} "
            f"{decimal(beside.judge.estimate)}"
        )
        if one.low is None or one.high is None:
            return f"{told}: a difference of {decimal(gap)}, without an interval."
        ends = _ends(one.low, one.high)
        if one.low <= 0 <= one.high:
            return f"{told}: the difference of {decimal(gap)}{ends} may be none."
        better = (gap > 0) == (METRICS[metric].better == "higher")
        return (
            f"{told}: {'better' if better else 'worse'} than one more rater by {decimal(abs(gap))} (difference{ends})."
        )
    reference = evaluation.agreement.human_reference
    if reference is None or reference.reason is not None or reference.human[metric].estimate is None:
        reason = "" if reference is None or reference.reason is None else f" ({reference.reason})"
        return f"Single raters' scores, to set it beside a rater, are not there{reason}."
    on_same = reference.shares[best][metric].against_others
    return (
        f"One rater reaches {_figure(reference.human[metric])} against the mean of the others, and {best} "
        f"{decimal(on_same)} against the same."
    )


def _figure(one: Estimate) -> str:
    """Return a figure with its interval, or with why there is none."""
    if one.low is None:
        reason = "none was asked for" if one.reason == NO_RESAMPLES else one.reason
        return f"{decimal(one.estimate)} (no interval: {reason})" if reason else decimal(one.estimate)
    return f"{decimal(one.estimate)}{_ends(one.low, one.high)}"


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{decimal(low)}, {decimal(high)}]"
