"""How unsure a judge is of each score: the spread of the distribution over the labels that the score is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...train.aggregator.aggregator import Aggregator
from ...train.aggregator.item_doubt import standard_deviation
from ...train.aggregator.mixing import entropy
from .scoring import labelled_folds

if TYPE_CHECKING:
    from .evaluation import Evaluation

#: Standard deviation in units of the scale, and entropy in nats. The first is what figures are drawn by: labels are
#: ordered, and being torn between the two ends of the scale is more doubt than between two neighbours; entropy, which
#: knows no distances, gives both the same.
DOUBTS = ("sd", "entropy")


def doubts_of(evaluation: Evaluation, rows: NDArray[np.intp]) -> Mapping[str, Mapping[str, NDArray[np.float64]]]:
    """Return the doubt about some labelled, valid rows of the cache, by strategy and then by `DOUBTS`.

    Parameters
    ----------
    evaluation : Evaluation
        Of a cache.
    rows : ndarray of shape (n_rows,)
        Ascending.

    Returns
    -------
    mapping of str to mapping of str to ndarray of shape (n_rows,)
        Of every evaluated strategy that has a distribution. Those fitted by folds have the one of the fold that left
        the item out, as in their scores.
    """
    cache = evaluation.cache
    judges = {name: fitted for name, fitted in evaluation.aggregators.items() if all(one.has_proba for one in fitted)}
    if cache is None or not judges:
        return {}
    readouts = cache.readouts()
    place = np.searchsorted(np.flatnonzero(cache.valid), rows)
    folds = {
        n: _fold_of_rows(readouts, n, evaluation.agreement.seed)[place]
        for n in {len(fitted) for fitted in judges.values()} - {1}
    }
    values = cache.scale.array
    out = {name: {doubt: np.empty(len(rows)) for doubt in DOUBTS} for name in judges}
    read = sorted({dataset for fitted in judges.values() for one in fitted if (dataset := one.dataset) is not None})
    regrouped, by = {one.name for one in evaluation.scored if one.regrouped}, evaluation.group
    for places, block in readouts.take(place).blocks(read):
        for name, fitted in judges.items():
            some = replace(block, group=None if by is None else by[rows][places]) if name in regrouped else block
            proba = _distribution(fitted, some, folds[len(fitted)][places] if len(fitted) > 1 else None)
            out[name]["sd"][places] = standard_deviation(proba, values)
            out[name]["entropy"][places] = entropy(proba)
    return out


def _distribution(fitted: Sequence[Aggregator], block: Readouts, fold: NDArray[np.intp] | None) -> NDArray[np.float64]:
    """Return each row's distribution, from the fold that left the item out where there are folds."""
    if fold is None:
        return fitted[0].predict_proba(block)
    proba = np.empty((len(block), len(block.scale)))
    for number, one in enumerate(fitted):
        own = np.flatnonzero(fold == number)
        if len(own):
            proba[own] = one.predict_proba(block.take(own))
    return proba


def _fold_of_rows(readouts: Readouts, n_folds: int, seed: int) -> NDArray[np.intp]:
    """Return the fold in which each labelled row was left out, -1 for the others."""
    rows, folds = labelled_folds(readouts, n_folds, seed)
    out = np.full(len(readouts), -1, dtype=np.intp)
    for number, fold in enumerate(folds):
        out[rows[fold.test]] = number
    return out
