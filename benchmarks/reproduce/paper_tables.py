"""Which runs each table of the paper is made from, and the tables with our figures beside the published ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from published import (
    ABLATION,
    ABLATION_COLUMNS,
    CONDITIONS,
    DISTRIBUTION,
    EMOTION,
    MAIN,
    METHODS,
    SELF_KNOWLEDGE,
    SETS,
)

TABLES = ("main", "ablation", "distribution", "emotion", "self-knowledge")
Cell = tuple[float | None, float | None]


class Run(NamedTuple):
    """One benchmark read by one model under one condition."""

    model: str
    benchmark: str
    condition: str


#: Our figure of a run, strategy and metric; None where it was not computed or is not defined.
Find = Callable[[Run, str, str], float | None]


class Table(NamedTuple):
    """A table: every cell is a pair of our figure and the published one, either None where there is none."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", f"| | {' | '.join(self.columns)} |", "|---" * (1 + len(self.columns)) + "|"]
        lines += [
            f"| {name} | {' | '.join(f'{as_text(ours)} ({as_text(paper)})' for ours, paper in cells)} |"
            for name, cells in self.rows
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        rows = [
            {"row": name}
            | {column: {"ours": a, "paper": b} for column, (a, b) in zip(self.columns, cells, strict=True)}
            for name, cells in self.rows
        ]
        return {"title": self.title, "rows": rows}


def as_text(value: float | None) -> str:
    """Return a figure as the paper writes it, a dash for none."""
    return "-" if value is None else f"{value:.3f}".replace("0.", ".", 1)


def runs_of(table: str, models: Sequence[str]) -> list[Run]:
    """Return what a table of the paper is made from; `models` are those of the main table."""
    if table == "main":
        return [Run(model, one, how) for model in models for one in SETS for how in CONDITIONS]
    if table == "ablation":
        return [Run(model, one, "direct") for model, one in ABLATION_COLUMNS]
    if table == "distribution":
        return [Run("Llama-3.1-8B", "flask", "direct")]
    figures, benchmark = (EMOTION, "eqbench") if table == "emotion" else (SELF_KNOWLEDGE, "selfaware")
    return [Run(model, benchmark, "direct") for model in figures]


def make_table(table: str, find: Find) -> Table:
    """Return a table of the paper with ours beside it."""
    makers = {
        "main": _main,
        "ablation": _ablation,
        "distribution": _distribution,
        "emotion": lambda find: _by_method("EQ-Bench, Spearman", EMOTION, "eqbench", "spearman", find),
        "self-knowledge": lambda find: _by_method(
            "SelfAware, F1 of unanswerable", SELF_KNOWLEDGE, "selfaware", "f1", find
        ),
    }
    return makers[table](find)


def _main(find: Find) -> Table:
    columns = [(one, how) for one in SETS for how in CONDITIONS]
    rows = []
    for model, methods in MAIN.items():
        for method, paper in methods.items():
            ours = [find(Run(model, *column), method, "spearman") for column in columns]
            cells: list[Cell] = [*zip(ours, paper, strict=True), (_mean(ours), _mean(paper))]
            rows.append((f"{model}, {METHODS[method]}", cells))
    return Table("Spearman", [*(f"{one} {how}" for one, how in columns), "mean"], rows)


def _ablation(find: Find) -> Table:
    runs = [Run(model, one, "direct") for model, one in ABLATION_COLUMNS]
    rows = [
        (name, [(find(run, name, "spearman"), figure) for run, figure in zip(runs, paper, strict=True)])
        for name, paper in ABLATION.items()
    ]
    return Table("Ablation, Spearman, direct", [f"{run.model} {run.benchmark}" for run in runs], rows)


def _distribution(find: Find) -> Table:
    run, metrics = Run("Llama-3.1-8B", "flask", "direct"), ("kl", "minmax_mse")
    rows = [
        (METHODS[name], [(find(run, name, metric), figure) for metric, figure in zip(metrics, paper, strict=True)])
        for name, paper in DISTRIBUTION.items()
    ]
    return Table("Distance from the human distribution, FLASK, Llama-3.1-8B", ["KL", "min-max MSE"], rows)


def _by_method(title: str, published: dict[str, tuple[float, ...]], benchmark: str, metric: str, find: Find) -> Table:
    rows = []
    for model, paper in published.items():
        run = Run(model, benchmark, "direct")
        cells: list[Cell] = [(find(run, one, metric), figure) for one, figure in zip(METHODS, paper, strict=True)]
        rows.append((model, cells))
    return Table(title, list(METHODS.values()), rows)


def _mean(values: Sequence[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return sum(given) / len(given) if given and len(given) == len(values) else None
