"""The mean of values that come in clusters: its bias-reduced error (CR2), Satterthwaite's degrees of freedom, t."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from ...data.errors import LagerError

Alternative = Literal["two-sided", "less", "greater"]
_ROUNDING = 1e-12  # of the largest value: an error below it is no spread


@dataclass(frozen=True)
class ClusterT:
    """Means with what a t needs; every array has the shape of the values without their first axis.

    Parameters
    ----------
    mean, error : ndarray
        The mean over items and its standard error; the error is NaN with fewer than two clusters.
    freedom : ndarray
        Degrees of freedom, NaN likewise.
    n_items, n_clusters : ndarray of int
        What each mean rests on.
    """

    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    freedom: NDArray[np.float64]
    n_items: NDArray[np.intp]
    n_clusters: NDArray[np.intp]

    def p(self, null: ArrayLike = 0.0, *, alternative: Alternative = "two-sided") -> NDArray[np.float64]:
        """Return the p-value of a mean equal to `null` against another, a lower (``less``) or a higher one.

        It is NaN where the error is. Values without any spread have p 0, or 1 where their mean is `null`.
        """
        gap = np.asarray(self.mean - np.asarray(null, dtype=np.float64))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where((gap == 0) & (self.error == 0), 0.0, gap / self.error)
        still = (gap == 0) & (self.error == 0)
        if alternative == "two-sided":
            tail = 2 * stdtr(self.freedom, -np.abs(t))
        elif alternative in ("less", "greater"):
            tail = np.where(still, 1.0, stdtr(self.freedom, t if alternative == "less" else -t))
        else:
            raise LagerError(f"unknown alternative {alternative!r}: choose from two-sided, less, greater")
        return np.asarray(np.where(np.isnan(self.error), np.nan, tail))

    def interval(self, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both ends of the two-sided t interval; either alone bounds the mean at ``(1 + level) / 2``."""
        if not 0 < level < 1:
            raise LagerError(f"level {level:g}: expected a share between 0 and 1, such as 0.95")
        reach = stdtrit(self.freedom, (1 + level) / 2) * self.error
        return self.mean - reach, self.mean + reach


def cluster_t(values: ArrayLike, cluster: ArrayLike | None = None) -> ClusterT:
    """Return the mean over items with a standard error that holds when the items of a cluster are alike.

    With ``s_g`` the sum of a cluster's residuals and ``m_g`` of N its items, ``sum_g s_g**2 / (1 - m_g / N) / N**2``:
    CR2 of the intercept alone (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018), and, with
    ``w_g = m_g**2 / (N - m_g)``, ``N**2 / (sum m_g**2 + (sum w_g)**2 - sum w_g**2)`` degrees of freedom (Satterthwaite,
    for independent items of equal variance). Clusters of one item give the t test of one sample.

    Parameters
    ----------
    values : array-like of shape (n_items,) or (n_items, n_columns)
        Finite, or NaN where there is none; such items count in the other columns only.
    cluster : array-like of shape (n_items,), optional
        The cluster of each item, any labels that numpy can sort. Each item by itself when None.

    Returns
    -------
    ClusterT
        Arrays of shape () for one column, (n_columns,) for several.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2):
        raise LagerError(f"the values have shape {array.shape}, expected (n_items,) or (n_items, n_columns)")
    table = array.reshape(len(array), array.shape[1] if array.ndim == 2 else 1)
    if np.isinf(table).any():
        raise LagerError("the values hold infinite numbers, expected finite ones, or NaN where there is none")
    n, codes = _codes(cluster, len(table))
    present = ~np.isnan(table)
    sizes = _sums(present.astype(np.float64), codes, n)
    total = sizes.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(present, table, 0.0).sum(axis=0) / total
        left = total - sizes
        sums = _sums(np.where(present, table - mean, 0.0), codes, n)
        variance = np.sum(sums**2 / left, axis=0) / total
        weight = np.where(sizes > 0, sizes**2 / left, 0.0)
        freedom = total**2 / (np.sum(sizes**2, axis=0) + weight.sum(axis=0) ** 2 - np.sum(weight**2, axis=0))
    n_clusters = np.count_nonzero(sizes, axis=0)
    size = np.max(np.abs(np.where(present, table, 0.0)), axis=0, initial=0.0)
    error = np.sqrt(variance)
    error = np.where(error <= _ROUNDING * size, 0.0, error)
    enough = n_clusters >= 2

    def shaped(column: NDArray[Any]) -> NDArray[Any]:
        return column.reshape(array.shape[1:])

    return ClusterT(
        shaped(mean),
        shaped(np.where(enough, error, np.nan)),
        shaped(np.where(enough, freedom, np.nan)),
        shaped(total.astype(np.intp)),
        shaped(n_clusters),
    )


def _codes(cluster: ArrayLike | None, n_items: int) -> tuple[int, NDArray[np.intp] | None]:
    """Return how many clusters there are and each item's number, None where every item is one."""
    if cluster is None:
        return n_items, None
    labels = np.asarray(cluster)
    if labels.shape != (n_items,):
        raise LagerError(f"cluster has shape {labels.shape}, expected one label for each of {n_items} items")
    distinct, codes = np.unique(labels, return_inverse=True)
    return len(distinct), codes


def _sums(table: NDArray[np.float64], codes: NDArray[np.intp] | None, n: int) -> NDArray[np.float64]:
    """Return the sums of each cluster: shape (n_clusters, n_columns)."""
    if codes is None:
        return table
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(n))
    return np.add.reduceat(table[order], starts, axis=0)
