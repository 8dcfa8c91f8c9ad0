"""Means of the systems or groups of judged items, as the command takes them from a cache or files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..agreement.fold_scores import FoldScores
from ..decisions.judged_items import JudgedItems
from .mean_estimates import MeanEstimates
from .means import estimate_means

PROBABILITY = "probability"


def estimate_judged(
    judged: JudgedItems,
    *,
    by: bool = False,
    stratum: str | None = None,
    at_least: float | None = None,
    weight: float | None = None,
    weighting: str = "hajek",
    level: float = 0.95,
    seed: int = 42,
) -> MeanEstimates:
    """Estimate means by the groups asked for, else by system, else by group; all judges are mixed into one.

    A column `probability` says how labelled items were drawn, unless they were drawn by stratum.
    """
    judges: dict[str, ArrayLike | FoldScores] = {
        name: one.scores if one.folded is None else one.folded for name, one in judged.judges.items()
    }
    domain = judged.group if by or judged.system is None else judged.system
    found = estimate_means(
        judged.human,
        judges,
        system=domain,
        cluster=judged.cluster,
        probability=None if stratum is not None else _numbers(judged.column(PROBABILITY), judged.labelled),
        stratum=None if stratum is None else _stratum(judged, stratum),
        at_least=at_least,
        weight=weight,
        weighting=weighting,
        level=level,
        seed=seed,
    )
    notes = list(judged.notes)
    if judged.cluster is None:
        notes.append("no clusters are declared: every item counts as independent of the others")
    return replace(found, notes=(*notes, *found.notes))


def _stratum(judged: JudgedItems, name: str) -> NDArray[np.object_]:
    column = judged.column(name)
    if column is None:
        raise LagerError(f"--stratum {name}: no item has such a column: it has {', '.join(judged.items.columns)}")
    return column


def _numbers(column: NDArray[np.object_] | None, labelled: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return a column of probabilities, None where no labelled item has one."""
    if column is None or all(value is None for value in column[labelled]):
        return None
    try:
        return np.array([np.nan if value is None else float(value) for value in column])
    except ValueError:
        raise LagerError(
            f"column {PROBABILITY!r} must hold numbers in (0, 1], the chance that an item was drawn"
        ) from None
