"""The items on which the best strategy and the humans differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..evaluation.evaluation import Evaluation
from ..tables.table import Cell, Column, Table, name, number
from .marks import best_strategies

_WORST = 10
_TEXT = 1500  # characters of a prompt that are shown


@dataclass(frozen=True)
class WorstItems:
    """Largest disagreements.

    Parameters
    ----------
    strategy : str
        Whose they are: the best one on the human scale.
    table : Table
        A row an item.
    texts : tuple of (str, str), or None
        Id and shortened text of each item; None where the text was not kept.
    """

    strategy: str
    table: Table
    texts: tuple[tuple[str, str], ...] | None


def worst_items(evaluation: Evaluation) -> WorstItems | None:
    """Return the items of the largest differences; None where no strategy is on the human scale."""
    best = best_strategies(evaluation)[evaluation.shown[0]]
    on_scale = [one for one in evaluation.scored if one.on_scale]
    if not on_scale:
        return None
    chosen = next((one for one in on_scale if one.name in best), on_scale[0])
    human, group = evaluation.human, evaluation.group
    gap = np.abs(chosen.scores - human)
    order = np.argsort(-np.where(np.isnan(gap), -np.inf, gap), kind="stable")[:_WORST]
    places = [int(row) for row in order if not np.isnan(gap[row])]
    ids, scores = evaluation.items["item_id"], evaluation.items["scores"]
    rows = []
    for row in places:
        judge, truth = float(chosen.scores[row]), float(human[row])
        figures = [number(value, 2) for value in (judge, truth, judge - truth)]
        raters = Cell(", ".join(f"{one:g}" for one in scores[row].to_list()))
        rows.append((name(ids[row]), *([] if group is None else [name(str(group[row]))]), *figures, raters))
    columns = [Column("item", "name"), *([] if group is None else [Column("group", "name")])]
    columns += [Column("judge"), Column("human"), Column("difference"), Column("raters", "text")]
    texts = None
    if "text" in evaluation.items.columns:
        texts = tuple((ids[row], _shortened(str(evaluation.items["text"][row]))) for row in places)
    return WorstItems(chosen.name, Table(tuple(columns), tuple(rows), caption="Largest disagreements"), texts)


def _shortened(text: str) -> str:
    """Return the beginning and end of a long text."""
    return text if len(text) <= _TEXT else f"{text[: _TEXT // 2]} ... {text[-_TEXT // 2 :]}"
