"""Bootstrap draws: whole clusters, with replacement, as weights of the items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_PARTS = 1000
_FEWEST_PARTS = 20
_JACKKNIFE_WORK = 1 << 24  # items times parts: 100,000 items are cut into 167 parts
_BLOCK_ELEMENTS = 1 << 19  # weights held at once: 4 MiB, small enough for the caches of a laptop


@dataclass(frozen=True)
class ClusterBootstrap:
    """Resamples of clusters; the same seed draws the same clusters whatever is evaluated on them.

    A resample draws as many clusters as there are, with replacement, and takes all items of each (Davison & Hinkley
    1997, section 3.8): items that share a source text are no independent evidence.

    Parameters
    ----------
    n_clusters : int
        Clusters to draw from. Without declared clusters every item is one.
    resamples : int
        How many resamples.
    seed : int
        Seed of the draws.
    """

    n_clusters: int
    resamples: int
    seed: int

    def blocks(self, cluster: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
        """Yield weights, ndarrays of shape (n_items, n_resamples in the block), until all resamples are drawn.

        Parameters
        ----------
        cluster : ndarray of shape (n_items,)
            The cluster of each item, 0..n_clusters-1. It may lack clusters: items that a judge has no score for.
        """
        rng = np.random.default_rng(self.seed)
        width = max(1, _BLOCK_ELEMENTS // max(len(cluster), self.n_clusters, 1))
        for start in range(0, self.resamples, width):
            n = min(width, self.resamples - start)
            drawn = rng.integers(self.n_clusters, size=(n, self.n_clusters))
            drawn += np.arange(n)[:, None] * self.n_clusters
            counts = np.bincount(drawn.ravel(), minlength=n * self.n_clusters).reshape(n, self.n_clusters)
            yield np.ascontiguousarray(counts.T, dtype=np.float64)[cluster]

    def parts(self, cluster: NDArray[np.intp]) -> Parts:
        """Return what is left out one after the other, for jackknife and BCa intervals.

        A part is one cluster. Of more clusters than resamples were asked for, or than the work for so many items
        allows, they are dealt at random to parts of equally many (the delete-a-group jackknife).

        Parameters
        ----------
        cluster : ndarray of shape (n_items,)
            The cluster of each item, 0..n_clusters-1.
        """
        most = max(_FEWEST_PARTS, min(self.resamples, MOST_PARTS, _JACKKNIFE_WORK // max(len(cluster), 1)))
        part = np.arange(self.n_clusters)
        if self.n_clusters > most:
            part = np.random.default_rng(self.seed).permutation(part % most)
        return Parts.of(part[cluster])


class Parts(NamedTuple):
    """The items cut into parts of whole clusters.

    Parameters
    ----------
    ids : ndarray of shape (n_parts,)
        The parts that have an item, ascending; the same numbers stand for the same clusters whatever the items are.
    place : ndarray of shape (n_items,)
        Each item's place in `ids`.
    sizes : ndarray of shape (n_parts,)
        Items of each part.
    """

    ids: NDArray[np.intp]
    place: NDArray[np.intp]
    sizes: NDArray[np.intp]

    @classmethod
    def of(cls, part: NDArray[np.intp]) -> Parts:
        """Number the parts of items that are there."""
        ids, place, sizes = np.unique(part, return_inverse=True, return_counts=True)
        return cls(ids, place.astype(np.intp), sizes.astype(np.intp))

    def left_out(self) -> Iterator[NDArray[np.float64]]:
        """Yield weights that leave out one part at a time: shape (n_items, n_parts in the block)."""
        width = max(1, _BLOCK_ELEMENTS // max(len(self.place), 1))
        for start in range(0, len(self.ids), width):
            out = np.arange(start, min(start + width, len(self.ids)))
            yield (self.place[:, None] != out).astype(np.float64)

    def by_segment(self, segment: NDArray[np.intp], n_segments: int) -> NDArray[np.intp]:
        """Count the items of each part in each segment: shape (n_segments, n_parts)."""
        n_parts = len(self.ids)
        return np.bincount(segment * n_parts + self.place, minlength=n_segments * n_parts).reshape(n_segments, n_parts)
