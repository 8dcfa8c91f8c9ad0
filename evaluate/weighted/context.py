"""What some metrics need beside the two columns of scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.rounding import tie_width

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
        From where on a score is a yes, as a share of the scale: 0 is its lowest value, 1 its highest. The paper's 0.75
        on SelfAware.
    ranges : mapping of str to (float, float)
        Judges by name whose threshold is a share of their own range of scores, not of the scale.
    judges : tuple of str
        The judges that are looked at, in their order.
    judge : str or None
        The one of them whose scores these are.
    column : ndarray of shape (n_items,), or None
        What is partialled out of correlations.
    """

    labels: NDArray[np.float64] | None = None
    cluster: NDArray[np.intp] | None = None
    threshold: float = DEFAULT_THRESHOLD
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    judges: tuple[str, ...] = ()
    judge: str | None = None
    column: NDArray[np.float64] | None = None

    def take(self, rows: NDArray[np.bool_]) -> Context:
        """Return the context of some rows."""
        cluster = None if self.cluster is None else self.cluster[rows]
        return replace(self, cluster=cluster, column=None if self.column is None else self.column[rows])

    def of_judge(self, index: int) -> Context:
        """Return the context of the scores of one judge."""
        return replace(self, judge=self.judges[index]) if self.judges else self

    def scale_bar(self) -> float:
        """Return from which human score on it is a yes; what misses the threshold by rounding meets it."""
        labels = self.on_labels()
        bar = float(labels[0] + self.threshold * (labels[-1] - labels[0]))
        return bar - tie_width(labels)

    def judge_bar(self) -> float:
        """Return from which score of the judge on it is a yes."""
        own = None if self.judge is None else self.ranges.get(self.judge)
        if own is None:
            return self.scale_bar()
        low, high = own
        return low + self.threshold * (high - low) - tie_width(np.array(own))

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
    """Return the index of the label nearest to each value; halfway between two, but for rounding, the lower one.

    Parameters
    ----------
    values : ndarray of shape (n,)
    labels : ndarray of shape (n_labels,)
        Ascending.
    """
    nearest = np.zeros(len(values), dtype=np.intp)
    # Labels are few, and this is ten times as fast as searching for each.
    for edge in (labels[1:] + labels[:-1]) / 2 + tie_width(labels):
        nearest += values > edge
    return nearest
