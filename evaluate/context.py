"""What some metrics need beside the two columns of scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.errors import LagerError

DEFAULT_THRESHOLD = 0.75


@dataclass(frozen=True)
class Context:
    """The scale's labels, the items' clusters, and the threshold of a yes.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,), or None
        The values of the score labels, ascending; None where no scale is known.
    cluster : ndarray of shape (n_items,), or None
        Index of each item's cluster, in the order of the rows; None where none are declared.
    threshold : float
        For `f1`, as a share of the scale: 0 is its lowest value, 1 its highest. The paper's 0.75 on SelfAware.
    """

    labels: NDArray[np.float64] | None = None
    cluster: NDArray[np.intp] | None = None
    threshold: float = DEFAULT_THRESHOLD

    def take(self, rows: NDArray[np.bool_]) -> Context:
        """Return the context of some rows."""
        return self if self.cluster is None else replace(self, cluster=self.cluster[rows])

    def on_labels(self) -> NDArray[np.float64]:
        """Return the labels' values; a metric that needs them is only called where they are known."""
        if self.labels is None:
            raise ValueError("no scale")
        return self.labels


#: No scale and no clusters.
NOTHING = Context()


def check_threshold(threshold: float) -> float:
    """Return the threshold, or raise `LagerError` when it is no share of the scale."""
    if not 0 < threshold <= 1:
        raise LagerError(f"threshold {threshold:g}: expected a share of the scale, above 0 and at most 1 (paper: 0.75)")
    return threshold


def nearest_label(values: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the index of the label nearest to each value; halfway between two, the lower one.

    Parameters
    ----------
    values : ndarray of shape (n,)
    labels : ndarray of shape (n_labels,)
        Ascending.
    """
    return np.searchsorted((labels[1:] + labels[:-1]) / 2, values, side="left").astype(np.intp)
