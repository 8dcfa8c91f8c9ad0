"""The report's table of differences to the baseline."""

from __future__ import annotations

from ..evaluation.evaluation import Evaluation
from ..metrics.metrics import METRICS
from ..tables.table import Column, Table, interval, name, number


def difference_table(evaluation: Evaluation) -> Table | None:
    """Return each strategy's differences with their p values, bold where significant; None without a baseline."""
    comparison = evaluation.agreement.comparison
    if comparison is None:
        return None
    columns = [Column("strategy", "name")]
    for metric in evaluation.shown:
        columns += [Column(f"{METRICS[metric].title}, difference"), Column("p"), Column("p (Holm)")]
    rows = []
    for strategy, of_metric in comparison.differences.items():
        cells = [name(strategy)]
        for one in (of_metric[metric] for metric in evaluation.shown):
            cells.append(interval(one.difference, one.low, one.high, best=one.significant, reason=one.reason or ""))
            cells += [number(one.p), number(one.p_holm)]
        rows.append(tuple(cells))
    caption = f"Differences to {comparison.baseline} (bold: p < 0.05 after Holm's correction)"
    return Table(tuple(columns), tuple(rows), caption=caption)
