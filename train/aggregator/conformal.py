"""Intervals around scores that hold the human score of a stated share of items: split conformal prediction.

Items that share a source text are not exchangeable, their clusters are. The threshold is the ceil(level (N + m))-th
smallest of all N absolute errors, m the mean size of a cluster: what remains of a new cluster's items when it is put
among the K that were calibrated on, as N + m items with K + 1 clusters would have it. With one item in each cluster
it is the (K + 1) level-th of split conformal prediction (Vovk et al. 2005), and its bound is exact. Otherwise large
clusters count by their items, as they do in what is promised: a share of items, not of texts. The bound was simulated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.scale import Scale


@dataclass(frozen=True)
class Calibration:
    """How far from the human scores an aggregator's scores were, on items that it was not fitted on.

    Parameters
    ----------
    radii : mapping of float to float
        For each level, such as 0.9, the half width of the interval, in units of the scale.
    scale : Scale
        Of the scores.
    n, n_clusters : int
        Calibration items, and their clusters.
    readout_id, fingerprint, items_hash : str
        Of the cache they are from.
    """

    radii: Mapping[float, float]
    scale: Scale
    n: int
    n_clusters: int
    readout_id: str
    fingerprint: str
    items_hash: str

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels of its intervals."""
        return tuple(self.radii)

    def intervals(self, score: NDArray[np.float64]) -> dict[float, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return for each level the lower and upper ends, each of shape (n_items,); no end leaves the scale.

        Parameters
        ----------
        score : ndarray of shape (n_items,)
            NaN where there is none.
        """
        low, high = float(self.scale.array.min()), float(self.scale.array.max())
        return {
            level: (np.clip(score - radius, low, high), np.clip(score + radius, low, high))
            for level, radius in self.radii.items()
        }

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON types."""
        radii = [[level, radius] for level, radius in self.radii.items()]
        return {**vars(self), "radii": radii, "scale": self.scale.as_json()}

    @classmethod
    def from_json(cls, raw: object) -> Calibration | None:
        """Read what `as_json` wrote; None for None."""
        if raw is None:
            return None
        names = {"radii", "scale", "n", "n_clusters", "readout_id", "fingerprint", "items_hash"}
        if not isinstance(raw, dict) or set(raw) != names:
            raise LagerError("`calibration` has other fields than it should")
        pairs, counts = raw["radii"], (raw["n"], raw["n_clusters"])
        if not isinstance(pairs, list) or not pairs or not all(_is_radius(pair) for pair in pairs):
            raise LagerError("`calibration` holds no half widths by level")
        if any(type(count) is not int or count < 1 for count in counts):
            raise LagerError("`calibration` holds no counts of items and clusters")
        hashes = {name: raw[name] for name in ("readout_id", "fingerprint", "items_hash")}
        if not all(isinstance(value, str) for value in hashes.values()):
            raise LagerError("`calibration` does not say what it was made on")
        radii = {float(level): float(radius) for level, radius in pairs}
        return cls(radii, Scale.from_json(raw["scale"]), *counts, **hashes)


def conformal_radii(error: NDArray[np.float64], n_clusters: int, *, levels: Sequence[float]) -> dict[float, float]:
    """Return for each level the half width of intervals around a score.

    Parameters
    ----------
    error : ndarray of shape (n_items,)
        Absolute differences between scores and human scores.
    n_clusters : int
        How many clusters these items are in; as many as items where each is its own.
    levels : sequence of float
        Coverages between 0 and 1, exclusively.

    Raises
    ------
    LagerError
        When a level is none, or there are too few clusters for it.
    """
    check_levels(levels)
    ordered = np.sort(error)
    return {level: float(ordered[conformal_rank(level, len(error), n_clusters) - 1]) for level in levels}


def check_levels(levels: Sequence[float]) -> None:
    """Raise `LagerError` for a level that is none."""
    for level in levels:
        if not 0 < level < 1:
            raise LagerError(f"level {level:g}: expected a number between 0 and 1, such as 0.9")


def fewest_clusters(level: float) -> int:
    """Return how many clusters, or items that are none, a level takes: level / (1 - level), rounded up."""
    return math.ceil(round(level / (1 - level), 9))


def conformal_rank(level: float, n_items: int, n_clusters: int) -> int:
    """Return which of all errors, from the smallest on, an interval reaches to: one cluster more is counted."""
    rank = math.ceil(round(level * n_items * (1 + 1 / n_clusters), 9))
    if rank > n_items:
        raise LagerError(
            f"level {level:g} takes at least {fewest_clusters(level)} clusters of labelled items (items, where there "
            f"are no clusters), got {n_clusters}: calibrate on more source texts, or at a lower level"
        )
    return rank


def _is_radius(pair: object) -> bool:
    if not isinstance(pair, list) or len(pair) != 2 or not all(type(x) in (int, float) for x in pair):
        return False
    return 0 < pair[0] < 1 and 0 <= pair[1] < math.inf
