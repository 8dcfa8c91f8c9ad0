"""The table of agreement: a row for each strategy, a column for each metric, and which outputs show what."""

from __future__ import annotations

from collections.abc import Sequence

from ..agreement.item_level import PARTIAL
from ..agreement.result import Estimate
from ..evaluation.evaluation import Evaluation
from ..metrics.metrics import METRICS
from ..tables.table import NONE, Cell, Column, Row, Table, count, interval, name, percent
from .marks import best_strategies, footnotes, headline, legend, significance

_ABREAST = 4  # metrics side by side on a terminal


def result_table(evaluation: Evaluation) -> Table:
    """Return the metrics that the evaluation shows, pooled Spearman beside those of another level, and the counts."""
    table = metric_table(evaluation, evaluation.shown, caption="Agreement")
    agreement = evaluation.agreement
    columns: list[Column] = [
        Column("n", "count", hidden=("narrow terminal", "latex")),
        Column("cover", "count", hidden=("narrow terminal", "markdown", "latex", "page")),
    ]
    beside: list[Row] = [(count(one.n), percent(one.coverage, 1)) for one in agreement.strategies]
    if agreement.level != "pooled":
        columns.insert(0, Column("Spearman,\npooled", "aside", hidden=("latex",)))
        pooled = [figure(one.pooled["spearman"]) for one in agreement.strategies]
        beside = [(one, *counts) for one, counts in zip(pooled, beside, strict=True)]
    if evaluation.partial is not None:
        without = {one.strategy: one.metrics for one in evaluation.partial.strategies}
        for metric in [name for name in evaluation.shown if name in PARTIAL][::-1]:
            columns.insert(0, Column(f"{METRICS[metric].title},\nlength out", "aside"))
            found = [without.get(one.strategy) for one in agreement.strategies]
            cells = [Cell(NONE) if own is None else figure(own[metric]) for own in found]
            beside = [(cell, *rest) for cell, rest in zip(cells, beside, strict=True)]
    return Table(
        columns=(*table.columns, *columns),
        rows=tuple((*row, *cells) for row, cells in zip(table.rows, beside, strict=True)),
        foot=tuple((*row, *[Cell("")] * len(columns)) for row in table.foot),
        caption=table.caption,
        headline=tuple(headline(agreement)),
        legend=legend(evaluation),
        notes=tuple(footnotes(evaluation)),
        abreast=_ABREAST,
    )


def metric_table(evaluation: Evaluation, metrics: Sequence[str], *, caption: str) -> Table:
    """Return some metrics of every strategy and, below, of the annotators themselves where they are kept."""
    agreement = evaluation.agreement
    best = best_strategies(evaluation, metrics)
    rows = []
    for strategy, scored in zip(agreement.strategies, evaluation.scored, strict=True):
        own = strategy.strategy
        figures = [
            figure(strategy.metrics[metric], mark=significance(agreement, own, metric), best=own in best[metric])
            for metric in metrics
        ]
        rows.append((name(own, "in-sample" if scored.in_sample else ""), *figures))
    reference = agreement.human_reference
    human = () if reference is None else reference.human
    return Table(
        columns=(Column("strategy", "name"), *(Column(METRICS[metric].title) for metric in metrics)),
        rows=tuple(rows),
        foot=((name("human"), *(figure(human[metric]) for metric in metrics)),) if human else (),
        caption=caption,
    )


def figure(value: Estimate, *, mark: str = "", best: bool = False) -> Cell:
    """Return the cell of an estimate."""
    return interval(value.estimate, value.low, value.high, mark=mark, best=best, reason=value.reason or "")
