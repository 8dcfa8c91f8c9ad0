"""Several evaluations in one table: models as rows, benchmarks and conditions as columns, the mean last."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ...data.files.writing import read_json
from ..metrics.metrics import METRICS, check_metrics

#: The judges of the paper's main table; scores from files come on top.
MAIN = ("vscore", "e-score", "lager", "lager-tuned")
_LEVELS = ("pooled", "group", "system")


@dataclass(frozen=True)
class Run:
    """One evaluation's results.

    Parameters
    ----------
    path : Path
        Its folder.
    content : dict
        Its results.json.
    """

    path: Path
    content: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read a folder that `lager evaluate --out` wrote.

        Raises
        ------
        LagerError
            When it holds no results.
        """
        path = folder / "results.json"
        if not path.exists():
            raise LagerError(f"{folder} holds no results.json: give folders that lager evaluate --out wrote")
        content = read_json(path, what="results")
        rows, about = content.get("results"), content.get("about")
        known = isinstance(about, dict) and content.get("level") in _LEVELS
        if not (known and isinstance(rows, list) and rows and all(map(_is_row, rows))):
            raise LagerError(f"{path} is not in the format of this version: run lager evaluate --out again")
        return cls(folder, content)

    @property
    def about(self) -> dict[str, Any]:
        """What was evaluated."""
        return dict(self.content["about"])

    @property
    def model(self) -> str:
        """The judge's model; the folder's name where there is none."""
        return str(self.about.get("model") or self.path.resolve().name)

    @property
    def column(self) -> str:
        """Benchmark and condition."""
        parts = (self.about.get("benchmark") or self.about.get("scores"), self.about.get("condition"))
        return " / ".join(str(part) for part in parts if part) or "items"


def _is_row(row: Any) -> bool:
    """Return whether a strategy's results have the types that figures and names have."""
    if not isinstance(row, dict) or not isinstance(row.get("strategy"), str):
        return False
    pooled = row.get("pooled", {})
    return isinstance(pooled, dict) and all(
        _is_figure(part[metric]) for part in (row, pooled) for metric in METRICS if metric in part
    )


def _is_figure(value: Any) -> bool:
    """Return whether a figure is finite or null, with a reason of text: results may come from others."""
    numbers = (int, float)
    return (
        isinstance(value, dict)
        and "estimate" in value
        and all(value.get(name) is None or type(value[name]) in numbers for name in ("estimate", "low", "high"))
        and all(math.isfinite(value[name]) for name in ("estimate", "low", "high") if value.get(name) is not None)
        and isinstance(value.get("reason"), str | None)
    )


@dataclass(frozen=True)
class CompareRow:
    """One judge of one model: its figures by column, and their mean.

    Parameters
    ----------
    model, strategy : str
    cells : dict of str to dict
        By column: estimate, low, high, and a reason where the estimate is None.
    mean : float or None
        Over all columns; None where one is missing.
    in_sample : bool
        Whether a column has rows that it was trained on.
    """

    model: str
    strategy: str
    cells: dict[str, dict[str, Any]]
    mean: float | None
    in_sample: bool


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
    """

    metric: str
    level: str
    columns: tuple[str, ...]
    rows: tuple[CompareRow, ...]

    def best(self) -> dict[str, float]:
        """Return the best figure of each column, and of ``mean``, among rows that are not in-sample."""
        better = METRICS[self.metric].better
        if better is None:
            return {}
        choose = min if better == "lower" else max
        out = {}
        for name in (*self.columns, "mean"):
            values = [
                value
                for row in self.rows
                if not row.in_sample
                and (value := row.mean if name == "mean" else row.cells.get(name, {}).get("estimate")) is not None
            ]
            if values:
                out[name] = choose(values)
        return out

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        rows = [
            {"model": row.model, "strategy": row.strategy, "mean": row.mean, "in_sample": row.in_sample,
             "columns": row.cells}
            for row in self.rows
        ]  # fmt: skip
        return {"metric": self.metric, "level": self.level, "columns": list(self.columns), "rows": rows}


def compare_runs(
    folders: Sequence[Path], *, metric: str = "spearman", level: str | None = None, strategies: Sequence[str] = ()
) -> Compared:
    """Put evaluations side by side.

    Parameters
    ----------
    folders : sequence of Path
        What `lager evaluate --out` wrote.
    metric : str
        From `METRICS`.
    level : {"pooled", "group", "system"}, optional
        Which figures; the level that all evaluations share when None. Every evaluation has pooled figures.
    strategies : sequence of str
        Rows of each model; the paper's four and scores from files when empty.

    Raises
    ------
    LagerError
        When a folder holds no results, levels differ, or two evaluations would fill one cell.
    """
    check_metrics([metric])
    runs = [Run.read(folder) for folder in folders]
    chosen = _level(runs, level)
    labels = _labels(runs)
    rows: list[CompareRow] = []
    columns = tuple(dict.fromkeys(run.column for run in runs))
    for model in dict.fromkeys(labels):
        own = [run for run, label in zip(runs, labels, strict=True) if label == model]
        rows += _rows(model, own, columns, metric, chosen, strategies)
    if not rows:
        raise LagerError(
            f"no evaluation has any of the strategies {', '.join(strategies or MAIN)}: name one with --strategy"
        )
    return Compared(metric, chosen, columns, tuple(rows))


def _level(runs: Sequence[Run], level: str | None) -> str:
    """Return the level of the table, which all evaluations must have figures of."""
    found = {str(run.content["level"]) for run in runs}
    if level is None:
        if len(found) > 1:
            raise LagerError(
                f"the evaluations are of levels {', '.join(sorted(found))}: compare them with --level pooled"
            )
        return found.pop()
    if level not in _LEVELS:
        raise LagerError(f"unknown level {level!r}: choose from {', '.join(_LEVELS)}")
    if level != "pooled" and (others := [run for run in runs if run.content["level"] != level]):
        raise LagerError(
            f"{others[0].path} has figures of level {others[0].content['level']} and pooled, not of {level}"
        )
    return level


def _labels(runs: Sequence[Run]) -> list[str]:
    """Return each run's row label: its model, with the template where a cell would be filled twice."""
    cells = Counter((run.model, run.column) for run in runs)
    crowded = {model for (model, _), count in cells.items() if count > 1}
    labels = [
        f"{run.model}, template {run.about.get('template') or '-'}" if run.model in crowded else run.model
        for run in runs
    ]
    seen: dict[tuple[str, str], Path] = {}
    for run, label in zip(runs, labels, strict=True):
        if (other := seen.setdefault((label, run.column), run.path)) is not run.path:
            raise LagerError(f"{other} and {run.path} both evaluate {label} on {run.column}: leave one of them out")
    return labels


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
        cells = {}
        for column, row in rows.items():
            figures = row if level != "pooled" else row.get("pooled", {})
            if metric not in figures:
                raise LagerError(f"the results of {model} on {column} have no {metric}: run lager evaluate --out again")
            cells[column] = figures[metric]
        values = [cells.get(column, {}).get("estimate") for column in columns]
        known = [value for value in values if value is not None]
        mean = sum(known) / len(known) if len(known) == len(columns) else None
        yield CompareRow(model, name, cells, mean, any(row.get("in_sample") for row in rows.values()))
