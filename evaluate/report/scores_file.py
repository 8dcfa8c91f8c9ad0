"""`scores.csv`: every score behind an evaluation's figures, a row an item."""

from __future__ import annotations

import numpy as np
import polars as pl

from ...data.items.same_items import PROMPT
from ..agreement.grouping import group_series, label_series
from ..evaluation.evaluation import Evaluation

_LABELS = ("group", "cluster", "system")
_JUDGE = "judge:"  # before the name of a judge that is called like another column


def score_table(evaluation: Evaluation) -> pl.DataFrame:
    """Return a row for each item, in the order of the items, labelled or not.

    ``id``; ``prompt_sha256`` where a cache was evaluated, by which the file's scores are joined to the same prompts
    only; group, cluster and system where declared, and ``by``, the groups of ``--by``; ``human``, the mean of the
    annotators; ``fold``, from 1, in which an item was left out; ``in_sample``, the strategies that were fitted to its
    very prompt; then a column of scores for each strategy and judge: out of fold where strategies were fitted by folds.
    Null where there is none.
    """
    items, by = evaluation.items, evaluation.about.get("by") or ()
    table: dict[str, pl.Series] = {"id": items["item_id"]}
    if evaluation.cache is not None:
        table[PROMPT] = pl.Series([bytes(one).hex() for one in evaluation.cache.prompt_sha256], dtype=pl.String)
    table |= {name: column for name in _LABELS if (column := label_series(items, name)) is not None}
    if by and (groups := group_series(items, by)) is not None:
        table["by"] = groups
    table["human"] = pl.Series(evaluation.human).fill_nan(None)
    if evaluation.fold is not None:
        table["fold"] = pl.Series(evaluation.fold).replace(0, None)
    table["in_sample"] = _in_sample(evaluation)
    fixed = {"id", PROMPT, *_LABELS, "by", "human", "fold", "in_sample"}
    for one in evaluation.scored:
        name = f"{_JUDGE}{one.name}" if one.name in fixed else one.name
        table[name] = pl.Series(one.scores).fill_nan(None)
    return pl.DataFrame(table)


def _in_sample(evaluation: Evaluation) -> pl.Series:
    """Return for each item the names of the strategies that were fitted to it, null where there are none."""
    names = np.full(len(evaluation.items), None, dtype=object)
    for one in evaluation.scored:
        if one.seen is not None:
            names[one.seen] = [one.name if name is None else f"{name}; {one.name}" for name in names[one.seen]]
    return pl.Series(names.tolist(), dtype=pl.String)
