"""Scores as distributions over the labels of a scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def split_between_labels(scores: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Split each score's mass between the two label values beside it, so that its mean is the score itself.

    3.25 becomes 0.75 on 3 and 0.25 on 4. Neighbours are taken in the order of the values, not of the labels; labels of
    equal value share their mass evenly. A score past an end goes to that end: check the range before.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
    values : ndarray of shape (n_labels,)
        What each label is worth, in any order.

    Returns
    -------
    ndarray of shape (n_labels, n_scores)
        Columns sum to 1.
    """
    distinct, place, shared_by = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.clip(np.searchsorted(distinct, scores, side="right"), 1, len(distinct) - 1)
    below, above = distinct[upper - 1], distinct[upper]
    share = np.clip((scores - below) / (above - below), 0.0, 1.0)
    columns = np.arange(len(scores))
    mass = np.zeros((len(distinct), len(scores)))
    mass[upper - 1, columns] = 1.0 - share
    mass[upper, columns] = share
    return mass[place] / shared_by[place][:, None]


def annotator_targets(scores: Sequence[Sequence[float]], values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the distribution of each item's annotators over the labels.

    Parameters
    ----------
    scores : sequence of sequence of float
        Every annotator's score of every item. One between two labels counts for both, see `split_between_labels`.
    values : ndarray of shape (n_labels,)

    Returns
    -------
    ndarray of shape (n_items, n_labels) or None
        NaN where an item has no score, or one off the scale. None when no item has two annotators: a single score
        says no more than its mean does.
    """
    counts = np.array([len(given) for given in scores], dtype=np.intp)
    if not len(counts) or counts.max() < 2:
        return None
    flat = np.concatenate([np.asarray(given, dtype=np.float64) for given in scores])
    item = np.repeat(np.arange(len(counts)), counts)
    mass = split_between_labels(flat, values).T
    mass[(flat < values.min()) | (flat > values.max())] = np.nan
    total = np.zeros((len(counts), len(values)))
    np.add.at(total, item, mass)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / counts[:, None])
