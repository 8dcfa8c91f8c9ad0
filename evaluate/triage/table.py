"""The table of what judges may decide alone, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..tables.table import NONE, Cell, Column, Table, count, decimal, name, number, percent
from .judge_triage import JudgeTriage
from .large_errors import told
from .wanted import Wanted


def triage_table(found: Sequence[JudgeTriage], without: Mapping[str, str], wanted: Wanted) -> Table:
    """Return a row for each judge: the threshold and what is decided below it, or the labels that would find one."""
    rows = []
    for one in found:
        step, result = one.result.chosen, one.result
        needed = NONE if result.labels_needed is None else str(result.labels_needed)
        rows.append(
            (
                name(one.name),
                Cell(result.verdict, result.verdict),
                number(result.threshold),
                percent(None if step is None else step.share),
                percent(None if step is None else step.risk, 1),
                number(None if step is None else step.p),
                Cell(needed, result.labels_needed) if step is None else Cell(""),
                count(result.n),
                count(result.n_clusters),
            )
        )
    large = told(found[0].error) if found else "a large error"
    asked = f"{large} in at most {wanted.risk:.0%} of the items decided alone, with confidence {wanted.confidence:.0%}"
    return Table(
        columns=(
            Column("judge", "name"), Column("verdict", "text"), Column("doubt\nup to"), Column("decided\nalone"),
            Column("large\nerrors"), Column("p"), Column("labels\nneeded", "aside"), Column("items", "aside"),
            Column("clusters", "aside"),
        ),
        rows=tuple(rows),
        caption=f"Which items the judge may decide alone: {asked}",
        headline=(asked,),
        notes=(*_notes(found), *(f"{judge}: {reason}" for judge, reason in without.items())),
    )  # fmt: skip


def _notes(found: Sequence[JudgeTriage]) -> list[str]:
    """Return what holds for all judges, said once, and what was learnt of each."""
    lines = list[str]()
    by_doubt: dict[str, list[str]] = {}
    for one in found:
        by_doubt.setdefault(one.doubt, []).append(one.name)
    for doubt, judges in by_doubt.items():
        lines.append(f"doubt: {doubt}" + (f" ({', '.join(judges)})" if len(by_doubt) > 1 else ""))
    for one in found:
        result = one.result
        lines.append(f"{result.estimand}; {result.bound} p-values")
        if result.set_apart:
            lines.append(f"{result.set_apart} labelled items only said where thresholds lie")
        if result.largest_cluster is not None and not result.cap_stated:
            lines.append(
                f"no cluster is taken to have more than {result.largest_cluster} items, as in the calibration; state "
                "another number with --largest-cluster"
            )
        if (learnt := one.learnt) is not None:
            shares = [decimal(100 * share, 0) for share in (learnt.share, learnt.plain_share)]
            lines.append(
                f"doubt learnt on {learnt.n} items in {learnt.n_clusters} clusters "
                f"{'helps' if learnt.helps else 'does not help and is not used'}: out of fold it keeps "
                f"{shares[0]} % at that risk, the plain one {shares[1]} %"
            )
        if result.threshold is None and result.labels_needed is None:
            lines.append(f"{one.name}: more labels would not help, its errors are too many at every threshold")
    return list(dict.fromkeys(lines))
