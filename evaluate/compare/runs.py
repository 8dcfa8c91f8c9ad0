"""Several evaluations in one table: models as rows, benchmarks and conditions as columns, the mean last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ..metrics.metrics import METRICS, check_metrics
from .one_table import check_columns, mixture_notes, row_labels, source_notes
from .run import LEVELS, Run, undefined_in

#: The judges of the paper's main table; scores from files come on top.
MAIN = ("vscore", "e-score", "lager", "lager-tuned")


@dataclass(frozen=True)
class CompareRow:
    """One judge of one model: its figures by column, and their mean.

    Parameters
    ----------
    model, strategy : str
    cells : dict of str to dict
        By column: estimate, low, high, and a reason where the estimate is None, also that of a strategy skipped there.
    mean : float or None
        Over all columns; None where one is missing.
    in_sample : bool
        Whether a column has rows that it was trained on.
    undefined : dict of str to frozenset of str
        By column: the groups in which the figure is undefined.
    """

    model: str
    strategy: str
    cells: dict[str, dict[str, Any]]
    mean: float | None
    in_sample: bool
    undefined: dict[str, frozenset[str]]

    def value(self, column: str) -> float | None:
        """Return the figure of a column, or the mean over all for ``mean``."""
        found: float | None = self.mean if column == "mean" else self.cells.get(column, {}).get("estimate")
        return found

    def undefined_groups(self, column: str) -> frozenset[tuple[str, str]]:
        """Return the groups in which a figure is undefined, each with its column: of ``mean`` those of all columns."""
        named = self.undefined if column == "mean" else [column]
        return frozenset((name, group) for name in named for group in self.undefined.get(name, ()))


@dataclass(frozen=True)
class Compared:
    """The table of several evaluations.

    Parameters
    ----------
    metric, level : str
        What the figures are.
    columns : tuple of str
        Benchmarks and conditions.
    rows : tuple of CompareRow
        By model, in the order given.
    notes : tuple of str
        What differs in a row or a column, and what is not compared.
    """

    metric: str
    level: str
    columns: tuple[str, ...]
    rows: tuple[CompareRow, ...]
    notes: tuple[str, ...] = ()

    def best(self) -> dict[str, float]:
        """Return the best figure of each column, and of ``mean``.

        Rows that are in-sample do not compete, nor figures that lack groups which others of their column have.
        """
        better = METRICS[self.metric].better
        if better is None:
            return {}
        choose = min if better == "lower" else max
        out = {}
        for name in (*self.columns, "mean"):
            values = [value for row in self.rows if (value := self.competing(row, name)) is not None]
            if values:
                out[name] = choose(values)
        return out

    def competing(self, row: CompareRow, column: str) -> float | None:
        """Return a row's figure in a column or under ``mean`` where it may be the best, else None."""
        if row.in_sample or row.value(column) is None:
            return None
        others = [one for one in self.rows if not one.in_sample and one.value(column) is not None]
        nowhere = frozenset.intersection(*(one.undefined_groups(column) for one in others))
        return row.value(column) if row.undefined_groups(column) == nowhere else None

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        rows = [
            {"model": row.model, "strategy": row.strategy, "mean": row.mean, "in_sample": row.in_sample,
             "columns": row.cells}
            for row in self.rows
        ]  # fmt: skip
        return {"metric": self.metric, "level": self.level, "columns": list(self.columns), "rows": rows,
                "notes": list(self.notes)}  # fmt: skip


def compare_runs(
    folders: Sequence[Path], *, metric: str = "spearman", level: str | None = None, strategies: Sequence[str] = ()
) -> Compared:
    """Put evaluations side by side."""
    check_metrics([metric])
    runs = [Run.read(folder) for folder in folders]
    chosen = _level(runs, level)
    labels = row_labels(runs)
    check_columns(runs, metric, chosen)
    rows: list[CompareRow] = []
    columns = tuple(dict.fromkeys(run.column for run in runs))
    for model in dict.fromkeys(labels):
        own = [run for run, label in zip(runs, labels, strict=True) if label == model]
        rows += _rows(model, own, columns, metric, chosen, strategies)
    if not rows:
        raise LagerError(
            f"no evaluation has any of the strategies {', '.join(strategies or MAIN)}: name one with --strategy"
        )
    named = dict.fromkeys(row.strategy for row in rows)
    notes = (*mixture_notes(runs, labels), *source_notes(runs, labels, list(named)))
    return Compared(metric, chosen, columns, tuple(rows), notes)


def _level(runs: Sequence[Run], level: str | None) -> str:
    """Return the level of the table, which all evaluations must have figures of."""
    found = {str(run.content["level"]) for run in runs}
    if level is None:
        if len(found) > 1:
            raise LagerError(
                f"the evaluations are of levels {', '.join(sorted(found))}: compare them with --level pooled"
            )
        return found.pop()
    if level not in LEVELS:
        raise LagerError(f"unknown level {level!r}: choose from {', '.join(LEVELS)}")
    if level != "pooled" and (others := [run for run in runs if run.content["level"] != level]):
        raise LagerError(
            f"{others[0].path} has figures of level {others[0].content['level']} and pooled, not of {level}"
        )
    return level


def _rows(  # noqa: PLR0917
    model: str, runs: Sequence[Run], columns: Sequence[str], metric: str, level: str, strategies: Sequence[str]
) -> Iterator[CompareRow]:
    """Yield one model's rows, for each strategy that any of its evaluations has."""
    found = {run.column: {str(row["strategy"]): row for row in run.content["results"]} for run in runs}
    external = {name for of_run in found.values() for name, row in of_run.items() if row.get("source") == "external"}
    wanted = list(strategies) or [*MAIN, *sorted(external)]
    for name in wanted:
        rows = {column: of_run[name] for column, of_run in found.items() if name in of_run}
        if not rows:
            continue
        cells: dict[str, dict[str, Any]] = {
            run.column: {"estimate": None, "reason": f"skipped: {run.skipped[name]}"}
            for run in runs
            if name in run.skipped and run.column not in rows
        }
        for column, row in rows.items():
            figures = row if level != "pooled" else row.get("pooled", {})
            if metric not in figures:
                raise LagerError(f"the results of {model} on {column} have no {metric}: run lager evaluate --out again")
            cells[column] = figures[metric]
        values = [cells.get(column, {}).get("estimate") for column in columns]
        known = [value for value in values if value is not None]
        mean = sum(known) / len(known) if len(known) == len(columns) else None
        undefined = {} if level == "pooled" else {column: undefined_in(row, metric) for column, row in rows.items()}
        yield CompareRow(model, name, cells, mean, any(row.get("in_sample") for row in rows.values()), undefined)
