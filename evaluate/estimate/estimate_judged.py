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

PROBABILITY, DRAW = "probability", "draw"


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
    what = "group" if by or judged.system is None else "system"
    notes = [*judged.notes, *_left_out(judged, domain, what), *_unfinished(judged)]
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
    if judged.cluster is None:
        notes.append("no clusters are declared: every item counts as independent of the others")
    elif without := sum(one is None for one in judged.cluster):
        notes.append(f"{without} of {len(judged)} items have no cluster: each counts as independent of the others")
    return replace(found, notes=(*notes, *found.notes))


def _left_out(judged: JudgedItems, domain: NDArray[np.object_] | None, what: str) -> list[str]:
    """Return a note on items of no system; raise `LagerError` where these are all that have no label.

    That is so where labels and judges' scores are in two files, and only that of the labels has the column.
    """
    if domain is None:
        return []
    without = np.array([one is None for one in domain])
    n = int(without.sum())
    if not judged.labelled.all() and without[~judged.labelled].all():
        raise LagerError(
            f"none of the {n} items without a human score has a {what}, and the judge can only add to labels by such "
            f"items: give the column that names it, and 'cluster', in the judge's file (--external) too, or put all "
            "items into the file of --scores, with an empty score where there is none"
        )
    if not n:
        return []
    labelled = int((without & judged.labelled).sum())
    return [
        f"{n} of {len(judged)} items, {labelled} of them labelled, have no {what} and are left out: fill that column "
        "in the file of --scores, or the judge's"
    ]


def _unfinished(judged: JudgedItems) -> list[str]:
    """Return a note on items that `lager plan --draw` drew and nobody has scored."""
    column = judged.column(DRAW)
    drawn = np.zeros(len(judged), dtype=np.bool_) if column is None else np.array([one == "1" for one in column])
    open_ = int((drawn & ~judged.labelled).sum())
    if not open_:
        return []
    return [
        f"{open_} of {drawn.sum()} drawn items ({DRAW} = 1) have no score: unless chance decided which, the estimates "
        "are of other items, and the column 'probability' is too high"
    ]


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
