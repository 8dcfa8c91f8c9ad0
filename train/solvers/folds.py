"""Seeded splits that keep items of one source text together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError


class Split(NamedTuple):
    """Rows of one split, ascending."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def cluster_folds(cluster: Sequence[Any] | NDArray[Any] | None, n: int, n_folds: int, seed: int) -> list[Split]:
    """Split n rows into folds of nearly equal item counts, clusters whole.

    Clusters are shuffled, then placed largest first into the fold with the fewest items.

    Parameters
    ----------
    cluster : sequence of length n, or None
        Cluster of each row. None, or a None in it, makes rows clusters of their own.
    n : int
        Number of rows.
    n_folds : int
        At least 2.
    seed : int

    Returns
    -------
    list of Split
        Every row is in exactly one `test`.

    Raises
    ------
    LagerError
        When there are fewer clusters than folds.
    """
    if n_folds < 2:
        raise LagerError(f"got {n_folds} folds, expected 2 or more")
    of_row, n_clusters = _clusters(cluster, n)
    if n_clusters < n_folds:
        raise LagerError(f"{n_folds} folds need as many clusters, got {n_clusters} in {n} items: use fewer folds")
    sizes = np.bincount(of_row, minlength=n_clusters)
    shuffled = np.random.default_rng(seed).permutation(n_clusters)
    fold_of_cluster = np.empty(n_clusters, dtype=np.intp)
    held = np.zeros(n_folds, dtype=np.intp)
    for one in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold = int(held.argmin())
        fold_of_cluster[one] = fold
        held[fold] += sizes[one]
    fold_of_row = fold_of_cluster[of_row]
    return [_split(fold_of_row == fold) for fold in range(n_folds)]


def cluster_holdout(cluster: Sequence[Any] | NDArray[Any] | None, n: int, share: float, seed: int) -> Split:
    """Hold out about a share of n rows, clusters whole.

    Clusters are shuffled and the first few held out: as many as come nearest to the share, at least one and not all.

    Raises
    ------
    LagerError
        When the share is not between 0 and 1, or there are fewer than two clusters.
    """
    if not 0.0 < share < 1.0:
        raise LagerError(f"got a holdout of {share:g}, expected a share between 0 and 1, such as 0.2")
    of_row, n_clusters = _clusters(cluster, n)
    if n_clusters < 2:
        raise LagerError(f"a holdout needs two clusters or more, got {n_clusters} in {n} items: leave the holdout out")
    shuffled = np.random.default_rng(seed).permutation(n_clusters)
    held = np.cumsum(np.bincount(of_row, minlength=n_clusters)[shuffled])[:-1]
    n_held_out = 1 + int(np.abs(held - share * n).argmin())
    return _split(np.isin(of_row, shuffled[:n_held_out]))


def count_clusters(cluster: Sequence[Any] | NDArray[Any] | None, n: int) -> int:
    """Return the number of clusters in n rows; a row without one is a cluster of its own."""
    return _clusters(cluster, n)[1]


def cluster_codes(cluster: Sequence[Any] | NDArray[Any] | None, n: int) -> NDArray[np.intp]:
    """Return each row's cluster as a number from 0, in the order of their names; shape (n,)."""
    return _clusters(cluster, n)[0]


def _clusters(cluster: Sequence[Any] | NDArray[Any] | None, n: int) -> tuple[NDArray[np.intp], int]:
    """Return each row's cluster as a number from 0, in the order of their names, and how many there are.

    Rows without a cluster come last, each one by itself. So what is drawn does not hang on the order of rows.
    """
    if cluster is None:
        return np.arange(n), n
    if len(cluster) != n:
        raise LagerError(f"got {len(cluster)} clusters for {n} items: give one each")
    named = sorted({value for value in cluster if _is_given(value)}, key=lambda value: (str(value), repr(value)))
    numbers: dict[Any, int] = {value: number for number, value in enumerate(named)}
    # A row without a cluster shares its source with no other row.
    keys = [value if _is_given(value) else (row,) for row, value in enumerate(cluster)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp), len(numbers)


def _is_given(value: Any) -> bool:
    """Return whether a row has a cluster: neither None nor NaN."""
    return value is not None and bool(value == value)  # noqa: PLR0124  (NaN is the value that does not equal itself)


def _split(is_test: NDArray[np.bool_]) -> Split:
    return Split(np.flatnonzero(~is_test), np.flatnonzero(is_test))
