"""What tables say beside the figures: which is best, which differs from the baseline, what is missing and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..agreement.difference import SIGNIFICANT
from ..agreement.intervals import NO_RESAMPLES
from ..agreement.result import Agreement, Estimate
from ..evaluation.evaluation import Evaluation
from ..metrics.metrics import METRICS
from ..tables.table import BEST, decimal

_TEST = {"jackknife": "paired jackknife t", "percentile": "paired bootstrap", "bca": "paired BCa bootstrap"}
LEVELS = {"pooled": "pooled over all items", "group": "mean over groups", "system": "between systems"}


def headline(agreement: Agreement) -> Iterator[str]:
    """Yield what was compared, in lines."""
    yield f"Agreement with humans, {LEVELS[agreement.level]}"
    counts = [f"{agreement.n} of {agreement.n_labelled} labelled items scored ({agreement.coverage:.1%})"]
    counts += [] if agreement.n_groups is None else [f"{agreement.n_groups} groups"]
    counts += [] if agreement.n_clusters is None else [f"{agreement.n_clusters} clusters"]
    yield ", ".join(counts)
    unit = "items" if agreement.n_clusters is None else "clusters"
    drawn = f"{agreement.resamples} resamples, seed {agreement.seed}"
    if not agreement.resamples:
        return
    if agreement.level == "system":
        which = "these systems" if agreement.systems == "these" else "systems like these"
        yield f"[low, high]: 95 %, of order at the true means of {which} (infinitely many texts), seed {agreement.seed}"
    elif agreement.interval == "jackknife":
        yield f"[low, high]: 95 % jackknife t over {unit}"
    else:
        kind = {"percentile": "percentile", "bca": "BCa"}[agreement.interval]
        yield f"[low, high]: 95 % {kind} bootstrap over {unit}, {drawn}"


def best_strategies(evaluation: Evaluation, metrics: Sequence[str] = ()) -> dict[str, set[str]]:
    """Return for each metric, those shown unless named, the strategies with the best figure; no claim that they differ.

    A strategy that has seen evaluated rows is out of competition, and so is one that lacks groups which others have. A
    description has no best.
    """
    fair = {one.name for one in evaluation.scored if not one.in_sample}
    best: dict[str, set[str]] = {}
    for metric in metrics or evaluation.shown:
        if METRICS[metric].better is None:
            best[metric] = set()
            continue
        values = evaluation.agreement.comparable(metric, fair)
        choose = min if METRICS[metric].better == "lower" else max
        top = choose(values.values(), default=None)
        best[metric] = {name for name, value in values.items() if value == top}
    return best


def significance(agreement: Agreement, strategy: str, metric: str) -> str:
    """Return ``+`` or ``-`` for a figure significantly above or below the baseline's, else nothing."""
    if agreement.comparison is None or strategy == agreement.comparison.baseline:
        return ""
    one = agreement.comparison.differences[strategy][metric]
    if not one.significant or not one.difference:
        return ""
    return "+" if one.difference > 0 else "-"


def legend(evaluation: Evaluation) -> str:
    """Return what it means to be marked as the best, with `BEST` for the mark."""
    fair = " of those that are not in-sample" if any(one.in_sample for one in evaluation.scored) else ""
    doubt = "; whether it differs from the next one is another question"
    return f"{BEST} best in its column{fair}{'' if evaluation.agreement.comparison else doubt}"


def _test(agreement: Agreement) -> str:
    """Return what a difference is tested by."""
    return "draws of the true means" if agreement.level == "system" else _TEST[agreement.interval]


def footnotes(evaluation: Evaluation) -> Iterator[str]:
    """Yield what the figures leave out and what they do not prove."""
    agreement = evaluation.agreement
    if agreement.comparison is not None:
        unit = "items" if agreement.n_clusters is None else "clusters"
        tested = len(agreement.comparison.differences)
        yield (
            f"+ above, - below {agreement.comparison.baseline} with p < {SIGNIFICANT} ({LEVELS[agreement.level]}; "
            f"{_test(agreement)} over {unit}, Holm's correction over {tested} strategies for each metric)"
        )
    in_sample = {one.name: one.in_sample for one in evaluation.scored if one.in_sample}
    if in_sample:
        counts = _grouped((str(count), name) for name, count in in_sample.items())
        for count, names in counts.items():
            yield f"in-sample: {count} of the evaluated rows were among the training rows of {', '.join(names)}"
    yield from human_lines(evaluation)
    yield from _out_of_competition(evaluation)
    yield from _compared_on_some_groups(agreement, evaluation.shown)
    missing = _grouped(
        (f"{strategy.strategy}: {said}", METRICS[metric].title)
        for strategy in agreement.strategies
        for metric in evaluation.shown
        for said in reasons(strategy.metrics[metric])
    )
    for about, titles in missing.items():
        yield f"{', '.join(titles)} of {about}"
    for strategy in agreement.strategies:
        if strategy.n != agreement.n:
            yield f"{strategy.strategy} has scores for {strategy.n} items only ({strategy.coverage:.1%})"
    for reason, names in _grouped((why, name) for name, why in evaluation.skipped.items()).items():
        yield f"skipped: {', '.join(names)}: {reason}"
    for note in evaluation.notes:
        yield f"note: {note}"


def _out_of_competition(evaluation: Evaluation) -> Iterator[str]:
    """Yield which figures cannot be the best of their column because other strategies have more groups."""
    agreement = evaluation.agreement
    fair = {one.name for one in evaluation.scored if not one.in_sample}
    left_out = _grouped(
        (one.strategy, METRICS[metric].title)
        for metric in evaluation.shown
        for one in agreement.strategies
        if one.strategy in fair
        and one.metrics[metric].estimate is not None
        and one.strategy not in agreement.comparable(metric, fair)
    )
    for name, titles in left_out.items():
        yield f"no mark for {', '.join(titles)} of {name}: a mean over fewer groups than others have"


def _compared_on_some_groups(agreement: Agreement, metrics: Sequence[str]) -> Iterator[str]:
    """Yield which differences leave out groups in which one of both is undefined."""
    if agreement.comparison is None:
        return
    over = _grouped(
        (name, f"{METRICS[metric].title} over the {one.groups} of {one.groups + one.undefined_groups}")
        for name, of_metric in agreement.comparison.differences.items()
        for metric in metrics
        if (one := of_metric[metric]).groups and one.undefined_groups
    )
    for name, compared in over.items():
        yield f"{name} against {agreement.comparison.baseline}: {', '.join(compared)} groups in which both have one"


def human_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield what the annotators reach among themselves, and how near the best strategy comes."""
    reference = evaluation.agreement.human_reference
    if reference is None or reference.reason is not None:
        return
    yield (
        f"human: one rater of an item against the mean of the others, {reference.n} items; a strategy "
        "against the same targets is in the files"
    )
    ceiling, alpha = reference.ceiling, reference.alpha
    known = [f"{what} {decimal(value.estimate)}" for what, value in (
        ("ceiling of a correlation with the raters' mean", ceiling), ("Krippendorff's alpha of the raters", alpha)
    ) if value.estimate is not None]  # fmt: skip
    if known:
        yield ", ".join(known)
    metric = evaluation.shown[0]
    for name in sorted(best_strategies(evaluation)[metric])[:1]:
        share = reference.shares[name][metric]
        reached = [
            f"{value:.0%} of {what}"
            for value, what in ((share.of_human, "human"), (share.of_ceiling, "the ceiling"))
            if value is not None
        ]
        if reached:
            yield f"{name} reaches {' and '.join(reached)} in {METRICS[metric].title}"


def reasons(value: Estimate) -> Iterator[str]:
    """Yield why a figure, its interval or some of its groups are missing."""
    if value.estimate is None:
        yield f"none, {value.reason}"
        return
    if value.undefined_groups:
        total = value.undefined_groups + (value.groups or 0)
        yield f"undefined in {value.undefined_groups} of {total} groups, which the mean leaves out"
    if value.reason is not None and value.reason != NO_RESAMPLES:
        yield f"no interval, {value.reason}"
    elif value.undefined_resamples:
        yield f"undefined in {value.undefined_resamples} of the weightings behind its interval, which leaves them out"


def _grouped(members: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Collect the second members by the first, both in order of appearance."""
    out: dict[str, list[str]] = {}
    for key, member in members:
        out.setdefault(key, []).append(member)
    return out
