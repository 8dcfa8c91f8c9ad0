"""The table of several evaluations: models down, benchmarks and conditions across, the mean last."""

from __future__ import annotations

from ..metrics.metrics import METRICS
from ..report.marks import LEVELS
from ..tables.table import BEST, NONE, Cell, Column, Row, Table, interval, name
from .runs import Compared, CompareRow


def comparison_table(compared: Compared, *, intervals: bool = False) -> Table:
    """Return a row for each strategy of each model; intervals are for an output that has room for them."""
    notes = list(compared.notes)
    if any(row.mean is None for row in compared.rows):
        notes.append("no mean where a column is missing or undefined")
    if names := sorted({f"{row.model}: {row.strategy}" for row in compared.rows if row.in_sample}):
        notes.append(f"in-sample, out of competition: {', '.join(names)}")
    fewer = {
        f"{row.model}: {row.strategy}, {len(row.undefined_groups(column))} in {column}"
        for row in compared.rows
        for column in compared.columns
        if row.undefined_groups(column)
    }
    if fewer:
        notes.append(f"undefined in some groups, which the mean leaves out: {'; '.join(sorted(fewer))}")
    best = compared.best()
    return Table(
        columns=(Column("model", "name"), Column("strategy", "name"), *map(Column, (*compared.columns, "mean"))),
        rows=tuple(_row(compared, row, best, intervals=intervals) for row in compared.rows),
        caption="Comparison",
        legend=f"{metric_and_level(compared)}; {BEST} best in its column, not a tested difference",
        notes=tuple(notes),
        sections=True,
    )


def metric_and_level(compared: Compared) -> str:
    """Return what the figures are."""
    return f"{METRICS[compared.metric].title}, {LEVELS[compared.level]}"


def _row(compared: Compared, row: CompareRow, best: dict[str, float], *, intervals: bool) -> Row:
    """Return a row's cells; an in-sample row is never marked as the best."""
    cells = [name(row.model), name(row.strategy, "in-sample" if row.in_sample else "")]
    found = {**row.cells, "mean": {"estimate": row.mean}}
    for column in (*compared.columns, "mean"):
        if (one := found.get(column)) is None:
            cells.append(Cell(NONE))
            continue
        value, ends = one["estimate"], (one.get("low"), one.get("high")) if intervals else (None, None)
        wins = value is not None and compared.competing(row, column) == best.get(column)
        cells.append(interval(value, *ends, best=wins, reason=one.get("reason") or ""))
    return tuple(cells)
