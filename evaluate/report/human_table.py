"""The report's table of what the strategies reach of what humans reach."""

from __future__ import annotations

from ..agreement.result import HumanReference
from ..evaluation.evaluation import Evaluation
from ..metrics.metrics import METRICS
from ..tables.table import NONE, Cell, Column, Table, decimal, name, number, percent
from .result_table import figure


def human_table(evaluation: Evaluation) -> Table | None:
    """Return one rater, then the strategies against a rater's targets; None where no annotators are kept."""
    reference = evaluation.agreement.human_reference
    metrics = [metric for metric in evaluation.shown if METRICS[metric].better == "higher"]
    if reference is None or reference.reason is not None or not metrics:
        return None
    columns = [Column("strategy", "name")]
    human = [Cell("human (one rater)", "human")]
    for metric in metrics:
        columns.append(Column(f"{METRICS[metric].title}, same targets as raters"))
        columns += [Column("of human"), Column("of the ceiling")]
        human += [figure(reference.human[metric]), percent(1.0), Cell(NONE)]
    rows = [tuple(human)]
    for strategy, shares in reference.shares.items():
        cells = [name(strategy)]
        for metric in metrics:
            one = shares[metric]
            cells += [number(one.against_others), percent(one.of_human), percent(one.of_ceiling)]
        rows.append(tuple(cells))
    return Table(tuple(columns), tuple(rows), caption=f"Against what humans reach{_known(reference)}")


def _known(reference: HumanReference) -> str:
    """Return what is known of the raters as a whole, in brackets."""
    known = (("ceiling", reference.ceiling), ("Krippendorff's alpha of the raters", reference.alpha))
    said = ", ".join(f"{what} {decimal(value.estimate)}" for what, value in known if value.estimate is not None)
    return f" ({said})" if said else ""
