"""Scores out of fold on one footing: what each fold's model makes of all items, and which model has not seen which."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.rounding import tie_classes, tie_width


class FoldScores(NamedTuple):
    """A judge that was fitted once for each fold, on the other folds.

    A model's level and spread hang on its training items: it scores low where the items that it has not seen are high.
    Scores of several models put together therefore lean against the human scores left out. How a model orders items,
    those it has seen among them, does not hang on its level.

    Parameters
    ----------
    by_model : ndarray of shape (n_folds, n_items), float32 or float64
        Every model's score of every item, NaN where there is none.
    fold : ndarray of shape (n_items,)
        The model that has not seen the item; any where it has no score.
    """

    by_model: NDArray[np.floating]
    fold: NDArray[np.intp]

    def take(self, rows: NDArray[np.bool_]) -> FoldScores:
        """Return the same of some items."""
        return self if rows.all() else FoldScores(self.by_model[:, rows], self.fold[rows])

    def footing(self, segment: NDArray[np.intp]) -> Footing:
        """Return what may be compared across folds, inside the segments that items are compared in."""
        return Footing(self.ranks(segment), self.standardised(segment))

    def ranks(self, segment: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return each item's mid-rank in its segment, under the model that has not seen it: shape (n_items,)."""
        out = np.empty(len(self.fold))
        for rows, scores, own in self._parts(segment):
            place, counts = tie_classes(scores)
            out[rows] = (np.cumsum(counts) - (counts - 1) / 2)[place][own]
        return out

    def standardised(self, segment: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return each item's score less the mean of its segment, over the spread there, both of the unseeing model."""
        out = np.empty(len(self.fold))
        for rows, scores, own in self._parts(segment):
            spread = scores.std()
            out[rows] = (scores[own] - scores.mean()) / spread if spread > tie_width(scores) else 0.0
        return out

    def _parts(self, segment: NDArray[np.intp]) -> list[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]]:
        """Return for each model and segment: the rows it has not seen, all scores, and the places of those rows."""
        found = []
        order = np.argsort(segment, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(segment[order])) + 1):
            for model in np.unique(self.fold[members]):
                own = np.flatnonzero(self.fold[members] == model)
                found.append((members[own], self.by_model[model, members].astype(np.float64), own))
        return found


class Footing(NamedTuple):
    """The scores of a judge fitted by folds, comparable across folds: each an ndarray of shape (n_items,)."""

    rank: NDArray[np.float64]
    standard: NDArray[np.float64]
