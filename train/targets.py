"""Human scores as targets: a distribution over the labels for the cross-entropy, a number for the error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.errors import LagerError

# Means of annotators are stored rounded: 4.999999999 and 5.000000001 are both 5.
_OFF_SCALE_TOLERANCE = 1e-6


def soft_targets(human: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Split each score's mass between the two label values beside it.

    The target's mean is the score itself: 3.25 becomes 0.75 on 3 and 0.25 on 4. Neighbours are taken in
    the order of the values, not of the labels; labels of equal value share their mass evenly.

    Parameters
    ----------
    human : ndarray of shape (n_items,)
        Scores between the smallest and the largest value.
    values : ndarray of shape (n_labels,)
        What each label is worth, in any order.

    Returns
    -------
    ndarray of shape (n_labels, n_items)
        Columns sum to 1.

    Raises
    ------
    LagerError
        When a score lies off the scale.
    """
    distinct, place, shared_by = np.unique(values, return_inverse=True, return_counts=True)
    slack = _OFF_SCALE_TOLERANCE * (distinct[-1] - distinct[0])
    off = (human < distinct[0] - slack) | (human > distinct[-1] + slack)
    if off.any():
        raise LagerError(
            f"{off.sum()} of {len(human)} human scores are off the scale {distinct[0]:g} to {distinct[-1]:g} "
            f"(the first is {human[off][0]:g}): choose the scale of the scores, or map them onto it"
        )
    upper = np.clip(np.searchsorted(distinct, human, side="right"), 1, len(distinct) - 1)
    below, above = distinct[upper - 1], distinct[upper]
    share = np.clip((human - below) / (above - below), 0.0, 1.0)
    items = np.arange(len(human))
    mass = np.zeros((len(distinct), len(human)))
    mass[upper - 1, items] = 1.0 - share
    mass[upper, items] = share
    return mass[place] / shared_by[place][:, None]


def truncated_targets(
    human: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut scores to whole numbers, as the authors' released code does (4.67 becomes 4).

    Returns
    -------
    one_hot : ndarray of shape (n_labels, n_items)
        1 at the label whose value is the truncated score.
    truncated : ndarray of shape (n_items,)

    Raises
    ------
    LagerError
        When a truncated score is the value of no label.
    """
    truncated = np.trunc(human)
    matches = values[:, None] == truncated
    if not (found := matches.any(axis=0)).all():
        raise LagerError(
            f"preset release cuts human scores to whole numbers, and {human[~found][0]:g} becomes "
            f"{truncated[~found][0]:g}, which no label of the scale stands for: use preset converged"
        )
    one_hot = np.zeros((len(values), len(human)))
    one_hot[matches.argmax(axis=0), np.arange(len(human))] = 1.0
    return one_hot, truncated
