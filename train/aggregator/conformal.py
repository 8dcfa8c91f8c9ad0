"""Intervals around scores that hold the human score with a stated probability: split conformal prediction.

Items that share a source text are not exchangeable, their clusters are. So a threshold is found from one item of each
cluster: with K clusters it is the ceil((K + 1) level)-th smallest of K absolute errors, which covers an item of a new
cluster with probability of at least `level`, on the mean over calibration sets and new items (Vovk et al. 2005; for one
item a cluster Dunn, Wasserman and Ramdas 2022, "Distribution-free prediction sets for two-layer hierarchical models").
The draw of the items adds noise, so the threshold is the mean over many draws. Without clusters, or with one item in
each, there is nothing to draw, and the bound is exact.
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

_MOST_DRAWS, _FEWEST_DRAWS, _DRAWN_ITEMS, _AT_ONCE = 1000, 20, 20_000_000, 1_000_000


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


def conformal_radii(
    error: NDArray[np.float64], cluster: NDArray[np.object_] | None, *, levels: Sequence[float], seed: int = 42
) -> dict[float, float]:
    """Return for each level the half width of intervals around a score.

    Parameters
    ----------
    error : ndarray of shape (n_items,)
        Absolute differences between scores and human scores.
    cluster : ndarray of shape (n_items,), dtype object, or None
        The clusters of the items; None where each is its own.
    levels : sequence of float
        Coverages between 0 and 1, exclusively.
    seed : int
        Of the draws of one item a cluster.

    Raises
    ------
    LagerError
        When a level is none, or there are too few clusters for it.
    """
    for level in levels:
        if not 0 < level < 1:
            raise LagerError(f"level {level:g}: expected a number between 0 and 1, such as 0.9")
    codes = np.arange(len(error)) if cluster is None else np.unique(cluster.astype(str), return_inverse=True)[1]
    size = np.bincount(codes)
    n_clusters = len(size)
    ranks = [_rank(level, n_clusters) for level in levels]
    first = np.cumsum(size) - size
    by_cluster = error[np.argsort(codes, kind="stable")]
    n_draws = int(np.clip(_DRAWN_ITEMS // n_clusters, _FEWEST_DRAWS, _MOST_DRAWS)) if size.max() > 1 else 1
    rng = np.random.default_rng(seed)
    total = np.zeros(len(ranks))
    step = max(1, _AT_ONCE // n_clusters)
    for done in range(0, n_draws, step):
        shape = (min(step, n_draws - done), n_clusters)
        drawn = np.sort(by_cluster[first + (rng.random(shape) * size).astype(np.intp)], axis=1)
        total += drawn[:, [rank - 1 for rank in ranks]].sum(axis=0)
    return dict(zip(levels, (total / n_draws).tolist(), strict=True))


def fewest_clusters(level: float) -> int:
    """Return how many clusters, or items that are none, a level takes: level / (1 - level), rounded up."""
    return math.ceil(round(level / (1 - level), 9))


def _rank(level: float, n_clusters: int) -> int:
    rank = math.ceil(round((n_clusters + 1) * level, 9))
    if rank > n_clusters:
        raise LagerError(
            f"level {level:g} takes at least {fewest_clusters(level)} clusters of labelled items (items, where there "
            f"are no clusters), got {n_clusters}: calibrate on more source texts, or at a lower level"
        )
    return rank


def _is_radius(pair: object) -> bool:
    if not isinstance(pair, list) or len(pair) != 2 or not all(type(x) in (int, float) for x in pair):
        return False
    return 0 < pair[0] < 1 and 0 <= pair[1] < math.inf
