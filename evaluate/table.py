"""The table of agreement on the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from .cache_evaluation import CacheEvaluation
from .interval import NO_RESAMPLES
from .metrics import METRICS
from .result import Agreement, Estimate

if TYPE_CHECKING:
    from rich.console import Console

_TITLES = {"spearman": "Spearman", "pearson": "Pearson", "kendall": "Kendall", "mae": "MAE"}
_BESIDE = 136  # columns from which intervals stand beside the figures, not below them
_COUNTS = 100  # columns from which n and coverage have columns, not only the headline


def print_table(evaluation: CacheEvaluation, console: Console) -> None:
    """Print what was compared, the figures, and what a reader should know about them."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    agreement = evaluation.agreement
    grouped, counts = agreement.level != "pooled", console.width >= _COUNTS
    style = _Style(separator=" " if console.width >= _BESIDE else "\n", digits=3 if counts else 2)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0))
    table.add_column("strategy", no_wrap=True)
    titles = [*_TITLES.values(), *(["Spearman,\npooled"] if grouped else []), *(["n", "cover"] if counts else [])]
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    best = best_strategies(evaluation)
    for strategy, scored in zip(agreement.strategies, evaluation.scored, strict=True):
        name = strategy.strategy
        cells = [name + (f"{style.separator}in-sample" if scored.in_sample else "")]
        cells += [style.figure(strategy.metrics[metric], marked=name in best[metric]) for metric in _TITLES]
        if grouped:
            cells.append(style.figure(strategy.pooled["spearman"], marked=False))
        if counts:
            cells += [str(strategy.n), f"{strategy.coverage:.1%}"]
        table.add_row(*map(Text, cells))
    for line in headline(agreement):
        console.print(line, highlight=False, markup=False)
    console.print(table)
    for line in footnotes(evaluation):
        console.print(line, highlight=False, markup=False)


class _Style(NamedTuple):
    """How figures are written."""

    separator: str
    digits: int

    def figure(self, value: Estimate, *, marked: bool) -> str:
        """Return an estimate as text, ``*`` where it is the best, with its interval where it has one."""
        if value.estimate is None:
            return "- "
        text = f"{_rounded(value.estimate, 3)}{'*' if marked else ' '}"
        if value.low is None or value.high is None:
            return text
        return f"{text}{self.separator}[{self._bound(value.low)}, {self._bound(value.high)}]"

    def _bound(self, value: float) -> str:
        return re.sub(r"^(-?)0\.", r"\1.", _rounded(value, self.digits))


def headline(agreement: Agreement) -> Iterator[str]:
    """Yield what was compared, in lines."""
    level = {"pooled": "pooled over all items", "group": "mean over groups", "system": "between systems"}
    yield f"Agreement with humans, {level[agreement.level]}"
    counts = [f"{agreement.n} of {agreement.n_labelled} labelled items scored ({agreement.coverage:.1%})"]
    counts += [] if agreement.n_groups is None else [f"{agreement.n_groups} groups"]
    counts += [] if agreement.n_clusters is None else [f"{agreement.n_clusters} clusters"]
    yield ", ".join(counts)
    unit = "items" if agreement.n_clusters is None else "clusters"
    if agreement.resamples:
        drawn = f"{agreement.resamples} resamples, seed {agreement.seed}"
        yield f"[low, high]: 95 % percentile bootstrap over {unit}, {drawn}"


def best_strategies(evaluation: CacheEvaluation) -> dict[str, set[str]]:
    """Return for each metric the strategies with the best figure; a mark, no claim that the difference is real.

    A strategy that has seen evaluated rows is out of competition.
    """
    fair = {one.name for one in evaluation.scored if not one.in_sample}
    best = {}
    for metric in _TITLES:
        values = {
            one.strategy: value
            for one in evaluation.agreement.strategies
            if one.strategy in fair and (value := one.metrics[metric].estimate) is not None
        }
        choose = min if METRICS[metric].better == "lower" else max
        top = choose(values.values(), default=None)
        best[metric] = {name for name, value in values.items() if value == top}
    return best


def footnotes(evaluation: CacheEvaluation) -> Iterator[str]:
    """Yield what the figures leave out and what they do not prove."""
    agreement = evaluation.agreement
    in_sample = {one.name: one.in_sample for one in evaluation.scored if one.in_sample}
    fair = " of those that are not in-sample" if in_sample else ""
    yield f"* best in its column{fair}; whether it differs from the next one is another question"
    if in_sample:
        counts = _grouped((str(count), name) for name, count in in_sample.items())
        for count, names in counts.items():
            yield f"in-sample: {count} of the evaluated rows were among the training rows of {', '.join(names)}"
    missing = _grouped(
        (f"{strategy.strategy}: {said}", title)
        for strategy in agreement.strategies
        for metric, title in _TITLES.items()
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
        yield f"undefined in {value.undefined_resamples} resamples, which the interval leaves out"


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Collect the second members by the first, both in order of appearance."""
    out: dict[str, list[str]] = {}
    for key, member in pairs:
        out.setdefault(key, []).append(member)
    return out


def _rounded(value: float, digits: int) -> str:
    """Return a number as text, without the sign of a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}"
