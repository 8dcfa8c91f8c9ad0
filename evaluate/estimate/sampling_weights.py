"""What each labelled item stands for: one over the probability with which it was drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..weighted.labels import Labels

_NEAR, _BY_CHANCE = 0.1, 3.0  # of the items; standard errors


def sampling_weights(
    labelled: NDArray[np.bool_], probability: ArrayLike | None, stratum: ArrayLike | None, n_items: int
) -> NDArray[np.float64]:
    """Return each labelled item's weight, 0 for the others; 1 where all were drawn alike."""
    if probability is not None and stratum is not None:
        raise LagerError("probabilities and strata both say how items were drawn: give one of them")
    weight = labelled.astype(np.float64)
    if probability is not None:
        given = _probabilities(probability, n_items)
        wrong = labelled & ~((given > 0) & (given <= 1))
        if wrong.any():
            raise LagerError(
                f"{wrong.sum()} of {labelled.sum()} labelled items have no probability in (0, 1] of being drawn "
                f"(first: item {np.flatnonzero(wrong)[0] + 1}, {given[wrong][0]:g}): give each one's"
            )
        weight[labelled] = 1.0 / given[labelled]
    if stratum is not None:
        weight = _of_strata(labelled, stratum, n_items)
    return weight


def weight_notes(weight: NDArray[np.float64], cluster: NDArray[np.intp]) -> list[str]:
    """Return a note where labelled items stand for far more or fewer items than there are, by more than chance.

    What each cluster's labelled items stand for, less its items, is 0 in the mean where the chances are right.
    """
    n, total = len(weight), float(weight.sum())
    spread = float(np.sqrt((np.bincount(cluster, weights=weight - 1.0) ** 2).sum()))
    if abs(total - n) <= _NEAR * n or (abs(total - n) <= _BY_CHANCE * spread and abs(total - n) <= n / 2):
        return []
    return [
        f"by their probabilities, the {np.count_nonzero(weight)} labelled items stand for {total:.0f} items, and there "
        f"are {n}: check that these are the chances of being drawn, and that every drawn item has its score"
    ]


def _probabilities(probability: ArrayLike, n_items: int) -> NDArray[np.float64]:
    try:
        given = np.asarray(probability, dtype=np.float64)
    except (TypeError, ValueError):
        raise LagerError("probabilities must be numbers, empty where an item was not drawn") from None
    if given.shape != (n_items,):
        raise LagerError(f"probability has shape {given.shape}, expected one for each of {n_items} items")
    return given


def _of_strata(labelled: NDArray[np.bool_], stratum: ArrayLike, n_items: int) -> NDArray[np.float64]:
    """Return how many items of its stratum a labelled item stands for."""
    column = np.asarray(stratum, dtype=object)
    if column.shape != (n_items,):
        raise LagerError(f"stratum has shape {column.shape}, expected one label for each of {n_items} items")
    labels = Labels.of(column)
    if (labels.codes < 0).any():
        raise LagerError(f"{(labels.codes < 0).sum()} of {n_items} items have no stratum: give each one's")
    size, held = np.bincount(labels.codes), np.bincount(labels.codes, weights=labelled)
    if empty := [labels.names[int(one)] for one in np.flatnonzero(held == 0)]:
        raise LagerError(f"stratum {empty[0]!r} has no labelled item, and {len(empty)} have none: join it with another")
    return np.where(labelled, (size / held)[labels.codes], 0.0)
