"""The report's table of which items the judges may decide alone."""

from __future__ import annotations

from ..evaluation.evaluation import Evaluation
from ..tables.table import Table
from ..triage.evaluation_triage import triage_evaluation
from ..triage.table import triage_table
from ..triage.wanted import Wanted

#: Of more items the report leaves it to `lager triage`: their distributions would be read once more.
MOST_ITEMS = 20_000


def decided_alone(evaluation: Evaluation) -> Table | None:
    """Return each judge's threshold at the defaults of `lager triage`; None of many items, or without any doubt."""
    if len(evaluation.items) > MOST_ITEMS:
        return None
    wanted = Wanted(seed=evaluation.agreement.seed)
    found, _ = triage_evaluation(evaluation, wanted)
    return triage_table(found, {}, wanted) if found else None
