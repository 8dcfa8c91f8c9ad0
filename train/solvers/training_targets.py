"""Human scores as targets: a distribution over the labels for the cross-entropy, a number for the error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.items.label_targets import split_between_labels

# Means of annotators are stored rounded: 4.999999999 and 5.000000001 are both 5.
_OFF_SCALE_TOLERANCE = 1e-6


def target_distributions(
    human: NDArray[np.float64], values: NDArray[np.float64], annotators: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the annotators' distribution of each item where it is known, else its score split between two labels.

    Parameters
    ----------
    human : ndarray of shape (n_items,)
        Scores between the smallest and the largest value, see `split_between_labels`.
    values : ndarray of shape (n_labels,)
        What each label is worth, in any order.
    annotators : ndarray of shape (n_items, n_labels), optional
        NaN in items without one.

    Returns
    -------
    ndarray of shape (n_labels, n_items)
        Columns sum to 1.

    Raises
    ------
    LagerError
        When a score lies off the scale, or the distributions have another shape or do not sum to 1.
    """
    check_on_scale(human, values)
    targets = split_between_labels(human, values)
    if annotators is None:
        return targets
    if annotators.shape != targets.T.shape:
        raise LagerError(f"got target distributions of shape {annotators.shape}, expected {targets.T.shape}")
    known = np.isfinite(annotators).all(axis=1)
    given = annotators[known]
    if (given < 0.0).any() or not np.allclose(given.sum(axis=1), 1.0, atol=1e-6):
        raise LagerError("target distributions must not be negative and each must sum to 1: give shares, not counts")
    targets[:, known] = given.T
    return targets


def check_on_scale(human: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Raise `LagerError` when a score lies off the scale."""
    low, high = values.min(), values.max()
    slack = _OFF_SCALE_TOLERANCE * (high - low)
    off = (human < low - slack) | (human > high + slack)
    if off.any():
        raise LagerError(
            f"{off.sum()} of {len(human)} human scores are off the scale {low:g} to {high:g} "
            f"(the first is {human[off][0]:g}): choose the scale of the scores, or map them onto it"
        )


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
