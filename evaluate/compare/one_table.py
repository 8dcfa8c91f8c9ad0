"""What may stand in one table: rows of one model, columns of the same items; what else differs is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ..evaluation.score_ranges import THRESHOLDED
from ..metrics.metrics import METRICS
from .run import Run

_SHOWN = 8  # digits of a hash
#: By which level an evaluation's labels decide its figures.
_LABELS = {"group": ("groups", "other groups"), "system": ("systems", "other systems")}


def row_labels(runs: Sequence[Run]) -> list[str]:
    """Return what each evaluation's rows are called: its model, and what tells it from others of that name.

    Models of one name and other read-outs are told apart by dtype, or by the read-outs' hash; a cell that would be
    filled twice by template or scale.
    """
    labels = [_named(run, [one for one in runs if one.model == run.model]) for run in runs]
    for name in ("template", "scale"):
        cells = Counter((label, run.column) for label, run in zip(labels, runs, strict=True))
        crowded = {label for (label, _), count in cells.items() if count > 1}
        labels = [
            f"{label}, {name} {run.about.get(name) or '-'}" if label in crowded and _differ(runs, name) else label
            for label, run in zip(labels, runs, strict=True)
        ]
    seen: dict[tuple[str, str], Path] = {}
    for run, label in zip(runs, labels, strict=True):
        if (other := seen.setdefault((label, run.column), run.path)) is not run.path:
            raise LagerError(f"{other} and {run.path} both evaluate {label} on {run.column}: leave one of them out")
    return labels


def _named(run: Run, namesakes: Sequence[Run]) -> str:
    """Return a model's name, with what tells it from the others that are called the same."""
    if len({one.identity for one in namesakes}) == 1:
        return run.model
    if run.about.get("model") is None:
        return str(run.path)
    numbers = {one.identity: (one.about.get("dtype"), one.about.get("quantization")) for one in namesakes}
    kinds = [" ".join(map(_short, filter(None, kind))) for kind in numbers.values()]
    if len(set(kinds)) == len(kinds) and all(kinds):
        return f"{run.model}, {kinds[list(numbers).index(run.identity)]}"
    return f"{run.model}, read-outs {run.identity[:_SHOWN]}"


def _differ(runs: Iterable[Run], name: str) -> bool:
    return len({str(run.about.get(name)) for run in runs}) > 1


def check_columns(runs: Sequence[Run], metric: str, level: str) -> None:
    """Refuse figures of other items, groups, systems, scales or thresholds in one column."""
    if metric in {*THRESHOLDED, "auroc"}:
        names = ("threshold",) if metric == "auroc" else ("threshold", "threshold_range")
        _same(runs, lambda run: [run.about.get(name) for name in names], "another threshold")
    for column in dict.fromkeys(run.column for run in runs):
        own = [run for run in runs if run.column == column and run.evaluated]
        _same(own, lambda run: _hashed(run, "scores"), "other items or human scores", column)
        if level in _LABELS:
            name, what = _LABELS[level]
            _same(own, lambda run, name=name: _hashed(run, name), what, column)
        if METRICS[metric].on_scale:
            _same(own, lambda run: run.about.get("scale"), "another scale", column)


def _hashed(run: Run, name: str) -> str:
    found = run.evaluated.get(name)
    return "none" if found is None else f"{run.evaluated.get('n')} items, {_short(found)}"


def _same(runs: Sequence[Run], value: Any, what: str, column: str | None = None) -> None:
    """Raise `LagerError` when evaluations differ in a value."""
    for run in runs[1:]:
        if (mine := value(run)) != (first := value(runs[0])):
            where = "one table" if column is None else f"the column {column}"
            raise LagerError(
                f"{runs[0].path} and {run.path} are of {what} ({_short(first)}; {_short(mine)}) and cannot share "
                f"{where}: compare evaluations that are alike in it"
            )


def mixture_notes(runs: Sequence[Run], labels: Sequence[str]) -> Iterator[str]:
    """Yield what differs inside one row or one column and may do so, with the values."""
    asked = (("template", "templates"), ("scale", "scales"), ("by", "groupings"), ("preset", "presets"))
    rows, columns = dict.fromkeys(labels), dict.fromkeys(run.column for run in runs)
    for name, what in (*asked, ("clusters", "clusters")):
        for label in rows:
            own = {run.column: run for run, one in zip(runs, labels, strict=True) if one == label}
            if name != "clusters":
                yield from _several(label, what, {column: run.about.get(name) for column, run in own.items()})
        for column in columns:
            of = {label: run for run, label in zip(runs, labels, strict=True) if run.column == column}
            values = {
                label: (run.evaluated if name == "clusters" else run.about).get(name) for label, run in of.items()
            }
            yield from _several(column, what, values)
    for run in runs:
        if not run.evaluated:
            yield f"{run.path} does not say which items it is of: run lager evaluate --out again to have that compared"


def _several(where: str, what: str, values: Mapping[str, Any]) -> Iterator[str]:
    if len({str(value) for value in values.values()}) > 1:
        yield f"{where}: other {what}: {', '.join(f'{_short(value)} in {name}' for name, value in values.items())}"


def source_notes(runs: Sequence[Run], labels: Sequence[str], strategies: Sequence[str]) -> Iterator[str]:
    """Yield the strategies of other sources, or of other numbers of items, in evaluations side by side."""
    for strategy in strategies:
        found = [
            (label, run.column, row)
            for run, label in zip(runs, labels, strict=True)
            for row in run.content["results"]
            if row["strategy"] == strategy
        ]
        if len({row.get("source") for _, _, row in found}) > 1:
            said = ", ".join(f"{row.get('source')} ({label}, {column})" for label, column, row in found)
            yield f"{strategy} comes from other sources: {said}"
        for column in dict.fromkeys(column for _, column, _ in found):
            counts = {label: row["n"] for label, one, row in found if one == column and type(row.get("n")) is int}
            if len(set(counts.values())) > 1:
                yield f"{column}, {strategy}: {', '.join(f'{n} items for {label}' for label, n in counts.items())}"


def _short(value: object) -> str:
    """Return a value as it can stand in a message."""
    if isinstance(value, dict):
        value = value.get("method") or value
    if isinstance(value, list | tuple):
        return ", ".join(map(_short, value)) or "none"
    return "none" if value is None else str(value)[:40]
