"""A user's arrays, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..weighted.labels import Labels
from ..weighted.score_arrays import as_numbers

_MOST_CELLS = 20_000_000  # of systems times clusters: 1 GB of sums
#: What the mean of all items is called where no systems are given.
ALL = "all"


def check_options(
    *,
    variance: str,
    quantile: str,
    weighting: str,
    level: float,
    weight: float | None = None,
    at_least: float | None = None,
) -> None:
    """Raise `LagerError` for a value that an option does not have."""
    for name, value, choices in (
        ("variance", variance, ("jackknife", "iid")),
        ("quantile", quantile, ("t", "normal")),
        ("weighting", weighting, ("hajek", "horvitz-thompson")),
    ):
        if value not in choices:
            raise LagerError(f"{name} {value!r}: choose from {', '.join(choices)}")
    if not 0 < level < 1:
        raise LagerError(f"level {level:g}: expected a share between 0 and 1, such as 0.95")
    for name, number in (("weight", weight), ("at least", at_least)):
        if number is not None and not np.isfinite(number):
            raise LagerError(f"{name} {number:g}: expected a finite number, or leave it out")


def check_size(n_systems: int, n_clusters: int) -> None:
    """Raise `LagerError` where sums over the clusters of each system take too much memory."""
    if n_systems * n_clusters > _MOST_CELLS:
        raise LagerError(
            f"{n_systems} systems times {n_clusters} clusters are more than the {_MOST_CELLS} sums that are kept: give "
            "fewer systems, or larger clusters"
        )


def human_scores(human: ArrayLike) -> NDArray[np.float64]:
    """Return human scores, finite or NaN, of which one is finite at least."""
    out = as_numbers(human, "the human scores")
    if out.ndim != 1 or np.isinf(out).any():
        raise LagerError(f"the human scores have shape {out.shape}, expected (n_items,), finite or NaN")
    if not np.isfinite(out).any():
        raise LagerError(f"none of the {len(out)} items has a human score: give some")
    return out


def domains(system: ArrayLike | None, n_items: int) -> tuple[list[str], NDArray[np.intp]]:
    """Return the names of what means are of, and each item's place in them; -1 for an item without one."""
    if system is None:
        return [ALL], np.zeros(n_items, dtype=np.intp)
    labels = _labels(system, "system", n_items)
    if not len(labels.names):
        raise LagerError("no item has a system: give their names, or leave them out")
    return labels.names.to_list(), labels.codes.astype(np.intp)


def clusters(cluster: ArrayLike | None, n_items: int) -> NDArray[np.intp]:
    """Return each item's cluster as a number; an item without one is a cluster by itself."""
    return np.arange(n_items) if cluster is None else _labels(cluster, "cluster", n_items).clusters()[1].astype(np.intp)


def _labels(values: ArrayLike, what: str, n_items: int) -> Labels:
    column = np.asarray(values, dtype=object)
    if column.shape != (n_items,):
        raise LagerError(f"{what} has shape {column.shape}, expected one label for each of {n_items} items")
    return Labels.of(column)
