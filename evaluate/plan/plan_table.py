"""Planned labels as one table."""

from __future__ import annotations

from collections.abc import Sequence

from ..tables.table import NONE, Cell, Column, Table, name
from .plan import GOALS, NO_HELP, NO_JUDGE, PlannedLabels


def plan_table(found: Sequence[PlannedLabels]) -> Table:
    """Return a row for each question."""
    several = any(one.n_systems > 1 for one in found)
    pilot = any(one.alone_high is not None or one.with_judge_high is not None for one in found)
    rows = [
        (
            name(f"{one.goal} {one.target:g}"),
            _labels(one.alone, one.alone_low, one.alone_high, pilot=pilot),
            _with_judge(one, pilot=pilot),
        )
        for one in found
    ]
    whose = "of each system" if several else "of a system"
    notes = [f"{one.goal}: {GOALS[one.goal]}" for one in found]
    notes += [f"labels {whose} for means and differences, in all for agreement and non-inferiority"]
    if any(one.alone is None or (_has_judge(one) and one.with_judge is None) for one in found):
        notes.append("-: all items together do not reach it")
    notes += (
        ["[low, high]: 90 % from the pilot; at the upper end the target is reached most of the times"] if pilot else []
    )
    notes += dict.fromkeys(line for one in found for line in one.notes)
    return Table(
        columns=(Column("question", "name"), Column("labels\nalone"), Column("labels\nwith the judge")),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _has_judge(one: PlannedLabels) -> bool:
    return one.goal not in NO_HELP and NO_JUDGE not in one.notes


def _with_judge(one: PlannedLabels, *, pilot: bool) -> Cell:
    """Return the labels with the judge's help, in words where there is no judge, or none can help."""
    if not _has_judge(one):
        return Cell("no help" if one.goal in NO_HELP else "no judge")
    return _labels(one.with_judge, one.with_judge_low, one.with_judge_high, pilot=pilot)


def _labels(n: int | None, low: int | None, high: int | None, *, pilot: bool) -> Cell:
    """Return a number of labels with its interval in words, as whole numbers; ``-`` where nothing reaches it."""
    if n is None:
        return Cell(NONE, reason="all items together do not reach it")
    text = str(n) if not pilot else f"{n} [{low if low is not None else '-'}, {high if high is not None else 'all'}]"
    return Cell(text, n)
