"""Pairs of items of one cluster that humans do not tie: listed once, compared by every judge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .pair_splits import split_pairs
from .ranking import Ranking, WeightedRanking
from .segments import Segments, narrow, runs

_PAIRS_FOR_EACH = 64
_MOST_PAIRS = 50_000_000


class ClusterBalance(NamedTuple):
    """What a judge makes of the pairs of each cluster in each segment; a resample only weights them."""

    surplus: NDArray[np.float64]
    """Concordant less discordant pairs, shape (n_cells,)."""
    pairs: NDArray[np.float64]
    """Pairs that humans do not tie, shape (n_cells,)."""
    rows: NDArray[np.intp]
    """A row of each cell, for its weight."""
    segment: NDArray[np.intp]
    """The segment of each cell, ascending."""


@dataclass(frozen=True)
class ClusterPairs:
    """The cells, clusters within segments, of some rows, and their pairs.

    Parameters
    ----------
    cluster : ndarray of shape (n,)
        Index of each row's cluster.
    human : Ranking
        Human scores of the rows, with their segments.
    """

    cluster: NDArray[np.intp]
    human: Ranking

    @cached_property
    def _rows(self) -> NDArray[np.intp]:
        """The rows by segment and cluster."""
        return narrow(np.lexsort((self.cluster, self.human.segments.of_row)), len(self.cluster))

    @cached_property
    def _cells(self) -> Segments:
        rows = self._rows
        return Segments(runs(self.human.segments.of_row[rows], self.cluster[rows]), len(rows))

    @cached_property
    def _listed(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int8], NDArray[np.intp]] | None:
        """Both rows of every pair, the sign of the human difference, and the cell; None where there are too many."""
        sizes = self._cells.sizes
        if int((sizes * (sizes - 1)).sum()) // 2 > min(_PAIRS_FOR_EACH * len(self._rows), _MOST_PAIRS):
            return None
        human, cell = self.human.class_of_row[self._rows], self._cells.of_row
        left_in_cell = (self._cells.starts + sizes)[cell] - np.arange(len(self._rows))
        found: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int8], NDArray[np.intp]]] = []
        for step in range(1, int(sizes.max())):
            first = np.flatnonzero(left_in_cell > step)
            sign = np.sign(human[first + step] - human[first]).astype(np.int8)
            first, sign = first[sign != 0], sign[sign != 0]
            found.append((self._rows[first], self._rows[first + step], sign, cell[first]))
        if not found:
            nothing = np.zeros(0, dtype=np.intp)
            return nothing, nothing, nothing.astype(np.int8), nothing
        one, other, sign, cells = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return one, other, sign, cells

    @cached_property
    def _counted(self) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Listed pairs of each cell, and the cells that have any."""
        assert self._listed is not None
        counts = np.bincount(self._listed[3], minlength=len(self._cells)).astype(np.float64)
        return counts, np.flatnonzero(counts)

    def balance(self, score: Ranking) -> ClusterBalance:
        """Compare the pairs by a judge's scores of the same rows."""
        if self._listed is None:
            return self._split(score)
        one, other, sign, cells = self._listed
        counts, present = self._counted
        agreed = np.sign(score.class_of_row[other] - score.class_of_row[one]) * sign
        surplus = np.bincount(cells, weights=agreed, minlength=len(self._cells)).astype(np.float64)
        return self._of(surplus, counts, present)

    def _split(self, score: Ranking) -> ClusterBalance:
        """Do the same for large clusters, without a list of the pairs."""
        score, human = (
            Ranking(side.class_of_row[self._rows].astype(np.float64), self._cells, exact=True)
            for side in (score, self.human)
        )
        once = np.ones((len(self._rows), 1))
        surplus = np.zeros((len(self._cells), 1))
        for split in split_pairs(score, human):
            surplus[split.present] += split.concordance(once)
        pairs = WeightedRanking(human, once).untied_pairs / 2
        return self._of(surplus[:, 0], pairs[:, 0], np.flatnonzero(pairs[:, 0]))

    def _of(
        self, surplus: NDArray[np.float64], pairs: NDArray[np.float64], present: NDArray[np.intp]
    ) -> ClusterBalance:
        rows = self._rows[self._cells.starts[present]]
        return ClusterBalance(surplus[present], pairs[present], rows, self.human.segments.of_row[rows])
