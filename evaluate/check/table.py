"""The table of what has changed of a judge."""

from __future__ import annotations

from ..tables.table import Cell, Column, Table, count, decimal, interval, name, number
from .check_scores import Check
from .two_readings import Checked


def check_table(checked: Checked) -> Table:
    """Return a row for each judge and each thing that may have changed, with the verdict."""
    rows = []
    for judge, check in checked.checks.items():
        for part in check.parts:
            cell = interval(part.change, part.low, part.high, reason=part.reason or "")
            rows.append((name(judge), Cell(part.what, part.what), cell, number(part.margin),
                         Cell(part.verdict, part.verdict), count(check.n_clusters)))  # fmt: skip
    return Table(
        columns=(
            Column("judge", "name"), Column("what", "text"), Column("change"), Column("margin"),
            Column("verdict", "text"), Column("clusters", "aside"),
        ),
        rows=tuple(rows),
        caption="What has changed",
        headline=(checked.verdict,),
        notes=tuple(_notes(checked)),
        sections=True,
    )  # fmt: skip


def _notes(checked: Checked) -> list[str]:
    """Return the mean's parts, the shift at the layers, and why something was not checked."""
    lines = [f"{judge}: {_mean(check)}" for judge, check in checked.checks.items()]
    lines += [
        f"{judge}: no score changed; the interval is what may have changed unseen, and is narrower with more clusters"
        for judge, check in checked.checks.items()
        if check.size.change == 0 and check.score.low is not None
    ]
    reasons = dict.fromkeys(
        f"{part.what}: not checked, {part.reason}"
        for check in checked.checks.values()
        for part in check.parts
        if part.reason
    )
    if checked.shift is None:
        lines.append(f"layers: not checked, {checked.no_shift}")
    else:
        one, shift = checked.shift.largest, checked.shift
        seen = [layer.layer for layer in shift.layers if layer.p < 0.05]
        told = f"a shift is seen at {len(seen)} of {len(shift.layers)}" if seen else "no shift is seen"
        lines.append(
            f"layers: {told}; the clearest is {one.layer}, whose score changed by {decimal(one.mean)} in the mean "
            f"(p {decimal(one.p)}, corrected for all layers)"
        )
    return [
        *lines,
        *reasons,
        "[low, high]: t over clusters, 90 % of the mean, 95 % of sizes; of agreement the 95 % jackknife",
    ]


def _mean(check: Check) -> str:
    """Return the two means and what their difference is made of."""
    mean = check.mean
    return (
        f"mean {decimal(mean.baseline)} of {mean.n_baseline} items, now {decimal(mean.new)} of {mean.n_new}: "
        f"{decimal(mean.judge)} from the judge on {mean.n_both} items, {decimal(mean.items)} from other items"
    )
