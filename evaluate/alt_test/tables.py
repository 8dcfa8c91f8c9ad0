"""What `lager alt-test` shows: the judges, and the judges by human uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..agreement.result import Estimate
from ..metrics.metrics import METRICS
from ..tables.table import Cell, Column, Table, count, interval, name, number
from .judges import JudgesBesideRaters
from .uncertainty import Stratum


def judges_table(found: JudgesBesideRaters) -> Table:
    """Return a row for each judge: may it replace a rater, and how does it stand beside one more rater."""
    metric = METRICS[found.judges[0].one_more_rater.metric].title
    columns = [
        Column("judge", "name"), Column("omega", "aside"), Column("may\nreplace"), Column("rho"), Column(metric),
        Column("one rater"), Column("difference"),
    ]  # fmt: skip
    rows = []
    for one in found.judges:
        test, beside = one.alt_test, one.one_more_rater
        row = [
            name(one.judge), number(test.omega, 2), _word("yes" if test.may_replace else "no"), number(test.rho),
            figure(beside.judge), figure(beside.rater), figure(beside.difference),
        ]  # fmt: skip
        rows.append((*row, _word(beside.verdict)) if beside.verdict is not None else tuple(row))
    if found.wanted.margin is not None:
        columns.append(Column(f"at margin\n{found.wanted.margin:g}"))
    return Table(
        tuple(columns), tuple(rows), caption="May the judge replace a rater",
        headline=tuple(_headline(found)), notes=tuple(_below(found)),
    )  # fmt: skip


def uncertainty_table(found: JudgesBesideRaters) -> Table:
    """Return a row for each judge and stratum of items by the spread of their own raters."""
    strata = {one.judge: one.by_uncertainty for one in found.judges}
    return strata_table(strata, found.judges[0].one_more_rater.metric)


def strata_table(strata: Mapping[str, Sequence[Stratum]], metric: str) -> Table:
    """Return a row for each judge and stratum."""
    columns = (
        Column("judge", "name"), Column("spread of raters", "aside"), Column("items", "count"),
        Column(METRICS[metric].title), Column("one rater"), Column("difference"),
    )  # fmt: skip
    rows = tuple(
        (
            name(judge), _word(f"{stratum.least:.2f} to {stratum.most:.2f}"), count(stratum.n),
            figure(stratum.figures.judge), figure(stratum.figures.rater), figure(stratum.figures.difference),
        )
        for judge, of_judge in strata.items() for stratum in of_judge
    )  # fmt: skip
    note = (
        "spread: standard deviation of an item's raters, cut at its terciles; the split is made by the scores that the "
        "column of one rater is of, so that it is high where raters agree for this reason"
    )
    return Table(
        columns, rows, caption="Agreement by human uncertainty", headline=("Agreement by human uncertainty",),
        notes=(note,), sections=True,
    )  # fmt: skip


def figure(one: Estimate) -> Cell:
    """Return the cell of a figure with its interval."""
    return interval(one.estimate, one.low, one.high, reason=one.reason or "")


def _word(text: str) -> Cell:
    return Cell(text, text)


def _headline(found: JudgesBesideRaters) -> list[str]:
    first = found.judges[0].alt_test
    clusters = ", CR2 t over clusters" if first.clustered else ", t over items"
    people = "places" if found.places else "raters"
    return [
        f"Alternative annotator test: epsilon {first.epsilon:g}, {first.alignment}, {len(first.raters)} {people} tested"
        + clusters,
        "omega: share of raters that the judge is as good as; rho: how often it is at least as near to the others",
    ]


def _below(found: JudgesBesideRaters) -> list[str]:
    """Return what the figures are, and what is missing."""
    beside = found.judges[0].one_more_rater
    metric = METRICS[beside.metric].title
    level = "mean over groups" if beside.level == "group" else "over all items"
    lines = [
        f"{metric}, {level}: the judge, and one rater, against the mean of the remaining raters, the mean over raters; "
        "[low, high]: 95 % jackknife t"
    ]
    left_out = {name for one in found.judges for name in one.alt_test.left_out}
    if left_out:
        shown = ", ".join(sorted(left_out)[:5]) + (", ..." if len(left_out) > 5 else "")
        lines.append(f"not tested, with too few items for some judge: {len(left_out)} of the raters ({shown})")
    lines += [f"left out: {judge}: {reason}" for judge, reason in found.without.items()]
    return lines
