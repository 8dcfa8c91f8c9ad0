"""Scores as distributions over the labels of a scale."""

from __future__ import annotations

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


def annotator_targets(
    scores: NDArray[np.float64], counts: NDArray[np.intp], values: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the distribution of each item's annotators over the labels.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        Every annotator's score, item after item. One between two labels counts for both, see `split_between_labels`.
    counts : ndarray of shape (n_items,)
        How many scores each item has.
    values : ndarray of shape (n_labels,)

    Returns
    -------
    ndarray of shape (n_items, n_labels) or None
        NaN where an item has no score, or one off the scale. None when no item has two annotators: a single score
        says no more than its mean does.
    """
    if not len(counts) or counts.max() < 2:
        return None
    total = np.zeros((len(counts), len(values)))
    starts = np.cumsum(counts) - counts
    for place in range(int(counts.max())):  # the first scores of all items, then the second ones
        items = np.flatnonzero(counts > place)
        given = scores[starts[items] + place]
        mass = split_between_labels(given, values).T
        mass[(given < values.min()) | (given > values.max())] = np.nan
        total[items] += mass
    with np.errstate(invalid="ignore"):
        total /= counts[:, None]
    return total
