"""Scores of a judge and of several raters as checked arrays, and which raters have items enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..weighted.labels import Labels
from ..weighted.score_arrays import finite_or_nan

FEWEST_RATERS, FEWEST_ITEMS, FEWEST_CLUSTERS = 3, 30, 10


@dataclass(frozen=True)
class RaterTable:
    """Row-aligned scores of the items that the judge and two raters or more scored.

    Parameters
    ----------
    judge : ndarray of shape (n_items,)
        Finite.
    raters : ndarray of shape (n_items, n_raters)
        NaN where a rater gave none.
    names : tuple of str
        The raters, with the columns.
    rows : ndarray of int, shape (n_items,)
        Where the items stand among those given.
    cluster : ndarray of int, shape (n_items,), or None
        Each item's cluster as a number; None where every item counts by itself.
    """

    judge: NDArray[np.float64]
    raters: NDArray[np.float64]
    names: tuple[str, ...]
    rows: NDArray[np.intp]
    cluster: NDArray[np.intp] | None

    @classmethod
    def check(
        cls, judge: ArrayLike, raters: ArrayLike, *, names: Sequence[str] | None, cluster: ArrayLike | None
    ) -> RaterTable:
        """Read arrays as a user gives them."""
        scores, table = finite_or_nan(judge, "the judge's scores"), finite_or_nan(raters, "the raters' scores")
        if scores.ndim != 1 or table.ndim != 2 or len(table) != len(scores):
            raise LagerError(
                f"the judge's scores have shape {scores.shape} and the raters' {table.shape}: expected (n_items,) and "
                "(n_items, n_raters), NaN where there is none"
            )
        called = tuple(f"#{place}" for place in range(1, table.shape[1] + 1)) if names is None else tuple(names)
        if len(called) != table.shape[1] or len(set(called)) < len(called):
            raise LagerError(f"{len(called)} names for {table.shape[1]} raters: expected one for each, no two the same")
        codes = None
        if cluster is not None:
            labels = np.asarray(cluster, dtype=object)
            if labels.shape != scores.shape:
                raise LagerError(f"cluster has shape {labels.shape}, expected a label for each of {len(scores)} items")
            codes = Labels.of(labels).clusters()[1]
        rows = np.flatnonzero(~np.isnan(scores) & (np.count_nonzero(~np.isnan(table), axis=1) >= 2))
        return cls(scores[rows], table[rows], called, rows, None if codes is None else codes[rows])

    def take(self, rows: NDArray[np.bool_]) -> RaterTable:
        """Return some of the items."""
        cluster = None if self.cluster is None else self.cluster[rows]
        return RaterTable(self.judge[rows], self.raters[rows], self.names, self.rows[rows], cluster)

    def tested(self, fewest_items: int) -> list[int]:
        """Return the raters with items, and clusters, enough; `LagerError` that says what is needed where few have."""
        there = ~np.isnan(self.raters)
        n_items = there.sum(axis=0)
        n_clusters = n_items
        if self.cluster is not None:
            n_clusters = np.array([len(np.unique(self.cluster[column])) for column in there.T])
        fewest_clusters = 0 if self.cluster is None else FEWEST_CLUSTERS
        enough = np.flatnonzero((n_items >= fewest_items) & (n_clusters >= fewest_clusters)).tolist()
        if len(enough) < FEWEST_RATERS:
            clusters = f" in {fewest_clusters} clusters" if fewest_clusters else ""
            have = ", ".join(
                f"{name} {n}" + (f" in {g}" if fewest_clusters else "")
                for name, n, g in zip(self.names[:10], n_items, n_clusters, strict=False)
            )
            raise LagerError(
                f"{len(enough)} of {len(self.names)} raters have the {fewest_items} items{clusters} that are needed, "
                f"each scored by the judge and by another rater (they have: {have or 'none'}): the test needs "
                f"{FEWEST_RATERS} such raters; collect more scores, by name where lists keep no rater in one place"
            )
        return enough
