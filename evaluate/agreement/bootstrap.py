"""Bootstrap draws: whole clusters, with replacement, as weights of the items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

JACKKNIFE_PARTS = 1000
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

    def jackknife(self, cluster: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
        """Yield weights that leave one part of the clusters out at a time, for BCa intervals.

        A part is one cluster; of more than 1,000 clusters, they are dealt at random to 1,000 parts of equal size (the
        delete-a-group jackknife), which keeps the work linear in the items.

        Parameters
        ----------
        cluster : ndarray of shape (n_items,)
            The cluster of each item, 0..n_clusters-1.
        """
        n_parts = min(self.n_clusters, JACKKNIFE_PARTS)
        part = np.arange(self.n_clusters) % n_parts
        if self.n_clusters > n_parts:
            part = np.random.default_rng(self.seed).permutation(part)
        width = max(1, _BLOCK_ELEMENTS // max(len(cluster), 1))
        for start in range(0, n_parts, width):
            left_out = np.arange(start, min(start + width, n_parts))
            yield (part[cluster][:, None] != left_out).astype(np.float64)
