"""The report's table of which items the judges may decide alone."""

from __future__ import annotations

from ...data.errors import LagerError
from ..evaluation.evaluation import Evaluation
from ..tables.table import Table
from ..triage.evaluation_triage import triage_evaluation
from ..triage.table import triage_table
from ..triage.wanted import Wanted

#: Of more items the report leaves it to `lager triage`: their distributions would be read once more.
MOST_ITEMS = 20_000


def decided_alone(evaluation: Evaluation) -> Table | None:
    """Return each judge's threshold at the defaults of `lager triage`; None where it cannot be told.

    So it is of many items, without any doubt, and on a scale that is too short for the default error.
    """
    if len(evaluation.items) > MOST_ITEMS:
        return None
    wanted = Wanted(seed=evaluation.agreement.seed)
    try:
        found, _ = triage_evaluation(evaluation, wanted)
    except LagerError:  # the default distance of a large error cannot occur on these labels: there is no such table
        return None
    return triage_table(found, {}, wanted) if found else None
