"""A judge's preference in each pair, from its scores of the two items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.scale import Scale
from .read_pairs import Pairs

_TIE = 1e-9


class Preferences(NamedTuple):
    """What a judge prefers, NaN in pairs of which an item has no score.

    Attributes
    ----------
    pick : ndarray of shape (n_pairs,)
        1 for A, 0 for B, 0.5 for a tie.
    probability : ndarray of shape (n_pairs,)
        That A is better; NaN where the strategy has no distribution.
    picks_by_order : ndarray of shape (n_pairs, 2), or None
        The pick where A is shown first, and where B is; None where each response was scored by itself.
    first : ndarray of shape (n_pairs,), or None
        Probability that the response shown first is better, the mean of the two orders.
    """

    pick: NDArray[np.float64]
    probability: NDArray[np.float64]
    picks_by_order: NDArray[np.float64] | None = None
    first: NDArray[np.float64] | None = None


def preferences(
    pairs: Pairs, score: NDArray[np.float64], proba: NDArray[np.float64] | None, *, scale: Scale
) -> Preferences:
    """Return the preference in each pair.

    Of responses scored by themselves the higher score is preferred, and the probability is that of a higher label drawn
    from A's distribution than from B's, half of equal labels added. Of pairs in both orders the scores are
    probabilities that the one shown first is better, and A's is the mean of its two.

    Parameters
    ----------
    pairs : Pairs
    score : ndarray of shape (n_items,)
        NaN where an item has none.
    proba : ndarray of shape (n_items, n_labels), or None
        Distribution over the labels, None for strategies without one.
    scale : Scale
        Of the scores.
    """
    a, b = score[pairs.rows[:, 0]], score[pairs.rows[:, 1]]
    if pairs.layout == "orders":
        probability = (a + 1 - b) / 2
        orders = np.column_stack([_pick(a - 0.5), _pick(0.5 - b)])
        return Preferences(_pick(probability - 0.5), probability, orders, (a + b) / 2)
    if proba is None:
        return Preferences(_pick(a - b), np.full(len(pairs), np.nan))
    values = scale.array
    beats = (values[:, None] > values) + 0.5 * (values[:, None] == values)
    probability = np.einsum("nk,kl,nl->n", proba[pairs.rows[:, 0]], beats, proba[pairs.rows[:, 1]])
    return Preferences(_pick(a - b), probability)


def _pick(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    pick = np.where(np.abs(difference) <= _TIE, 0.5, (difference > 0).astype(np.float64))
    return np.where(np.isnan(difference), np.nan, pick)
