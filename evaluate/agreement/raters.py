"""Several annotators' scores of the same items: reliability of their mean, and their alpha."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...data.items.item_table import flat_scores
from ...data.rounding import rounded_means


@dataclass(frozen=True)
class Raters:
    """Scores of n items, each with its own number of annotators.

    Parameters
    ----------
    counts : ndarray of shape (n_items,)
        Annotators of each item.
    values : ndarray of shape (n_scores,)
        Their scores, item after item.
    who : ndarray of shape (n_scores,), or None
        The number of the rater who gave each; None where only places in the items' lists are known.
    """

    counts: NDArray[np.intp]
    values: NDArray[np.float64]
    who: NDArray[np.intp] | None = None

    @classmethod
    def from_lists(
        cls,
        scores: Sequence[Sequence[float]] | pl.Series,
        names: Sequence[Sequence[str] | None] | pl.Series | None = None,
    ) -> Raters:
        """Read one list of scores an item, and of names where these are known of all scores."""
        if isinstance(scores, pl.Series):
            flat, counts = flat_scores(scores)
        else:
            counts = np.array([len(one) for one in scores], dtype=np.intp)
            flat = np.array([value for one in scores for value in one], dtype=np.float64)
        return cls(counts, flat, None if names is None else _numbers_of(names, counts))

    @property
    def starts(self) -> NDArray[np.intp]:
        """Where each item's scores start in `values`."""
        return np.asarray(np.cumsum(self.counts) - self.counts, dtype=np.intp)

    def take(self, rows: NDArray[np.bool_]) -> Raters:
        """Return the scores of some items."""
        kept = np.repeat(rows, self.counts)
        return Raters(self.counts[rows], self.values[kept], None if self.who is None else self.who[kept])

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up a number per score within each item: shape (n_items,)."""
        item = np.repeat(np.arange(len(self.counts)), self.counts)
        return np.asarray(np.bincount(item, weights=values, minlength=len(self.counts)), dtype=np.float64)

    def against_the_others(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Yield each rater's scores and the means of the others, NaN where an item has no such rater or no others.

        A rater is a place in the items' lists where no names are known: where annotators differ from item to item, the
        first, the second and so on of each item. Places that fewer than half of the items with two scores have, and
        raters with fewer than half as many items as the median rater, are passed over: figures of a few items would
        weigh as much as the others.
        """
        totals, several = self.sums(self.values), self.counts[self.counts >= 2]
        if self.who is not None:
            yield from self._named(self.who, totals)
            return
        for place in range(int(np.median(several)) if len(several) else 0):
            there = (self.counts > place) & (self.counts >= 2)
            own = np.full(len(self.counts), np.nan)
            own[there] = self.values[self.starts[there] + place]
            yield own, rounded_means((totals - own) / np.maximum(self.counts - 1, 1))

    def _named(
        self, who: NDArray[np.intp], totals: NDArray[np.float64]
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Yield the raters by their names."""
        item = np.repeat(np.arange(len(self.counts)), self.counts)
        with_others = self.counts[item] >= 2
        sizes = np.bincount(who[with_others])
        for rater in np.flatnonzero(2 * sizes >= np.median(sizes[sizes > 0])) if sizes.any() else ():
            given = np.flatnonzero(with_others & (who == rater))
            own = np.full(len(self.counts), np.nan)
            own[item[given]] = self.values[given]
            yield own, rounded_means((totals - own) / np.maximum(self.counts - 1, 1))


def _numbers_of(names: Sequence[Sequence[str] | None] | pl.Series, counts: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Return each score's rater as a number; None where some have no name, as after a merge."""
    column = names if isinstance(names, pl.Series) else pl.Series("names", names, dtype=pl.List(pl.String))
    if not np.array_equal(column.list.len().fill_null(0).to_numpy(), counts):
        return None
    flat = column.filter(pl.Series(counts > 0)).explode()
    return np.unique(flat.to_numpy(), return_inverse=True)[1].astype(np.intp)


def fixed_raters(raters: Raters) -> bool:
    """Return whether the same raters scored every item, as far as names or lists can tell.

    Places of the lists are taken for raters where every item has as many scores, two or more. Lists that are all sorted
    keep no rater in its place.
    """
    if not len(raters.counts) or raters.counts.min() != raters.counts.max() or raters.counts[0] < 2:
        return False
    if raters.who is not None:
        table = raters.who.reshape(len(raters.counts), -1)
        return bool((table == table[0]).all())
    steps = np.diff(raters.values.reshape(len(raters.counts), -1), axis=1)
    return bool(((steps < 0).any() and (steps > 0).any()) or not steps.any())


def ceiling(raters: Raters, *, fixed: bool = False) -> float | str:
    """Return the square root of the reliability of the annotators' mean, or why there is none.

    It bounds a correlation with the means. Of raters without identity, the one-way random-effects model (ICC(1), Shrout
    & Fleiss 1979; unequal counts as in Searle, Casella & McCulloch 1992, section 3.6): with m_i scores of item i, N in
    all, ``MSB`` and ``MSW`` the mean squares between and within items and ``m0 = (N - sum(m_i**2) / N) / (n - 1)``, the
    variances are ``sb = (MSB - MSW) / m0`` and ``sw = MSW``; the means have variance ``sb + sw mean(1 / m_i)``, of
    which sb is the items'.
    """
    labelled = raters.take(raters.counts > 0)
    counts, n = labelled.counts.astype(np.float64), len(labelled.counts)
    total = float(counts.sum())
    if n < 2 or total <= n:
        return "fewer than 2 items, or no item with 2 annotators"
    if np.ptp(labelled.values) == 0:
        return "constant human scores"
    means = labelled.sums(labelled.values) / counts
    overall = labelled.values.mean()
    between = float(np.sum(counts * (means - overall) ** 2) / (n - 1))
    residuals = labelled.values - np.repeat(means, labelled.counts)
    if fixed:
        table = residuals.reshape(n, -1)
        error = float(np.sum((table - table.mean(axis=0)) ** 2) / ((n - 1) * (table.shape[1] - 1)))
    else:
        error = float(np.sum(residuals**2) / (total - n))
    m0 = (total - float(np.sum(counts**2)) / total) / (n - 1)
    items = (between - error) / m0
    if items <= 0:
        return "annotators agree no better than by chance"
    return math.sqrt(items / (items + error * float(np.mean(1 / counts))))


def raters_alpha(raters: Raters) -> float | str:
    """Return Krippendorff's alpha of the annotators for interval data, or why there is none.

    Over items with two scores or more, N values in all: ``1 - Do / De`` with
    ``Do = (1/N) sum_i 2 (m_i sum(v**2) - sum(v)**2) / (m_i - 1)`` and
    ``De = 2 (N sum(v**2) - sum(v)**2) / (N (N - 1))``
    (Krippendorff 2011).
    """
    several = raters.take(raters.counts >= 2)
    n = len(several.values)
    if n == 0:
        return "no item with 2 annotators"
    values = several.values - several.values.mean()
    expected = 2 * (n * float(np.sum(values**2)) - float(np.sum(values)) ** 2) / (n * (n - 1))
    if np.ptp(several.values) == 0 or expected <= 0:
        return "constant human scores"
    counts = several.counts.astype(np.float64)
    spread = counts * several.sums(values**2) - several.sums(values) ** 2
    observed = float(np.sum(2 * spread / (counts - 1))) / n
    return 1 - observed / expected
