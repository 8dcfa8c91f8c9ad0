"""How far items differ between clusters and within them, and what that leaves of a mean over some of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class VarianceParts(NamedTuple):
    """Variance between the clusters of one system and between the items of one cluster."""

    between: float
    within: float

    def of_mean(self, n_items: float, n_clusters: float) -> float:
        """Return the variance of a mean of so many items in so many clusters."""
        return self.between / n_clusters + self.within / n_items

    def times(self, factor: float) -> VarianceParts:
        """Return both parts times a number."""
        return VarianceParts(factor * self.between, factor * self.within)


def variance_parts(values: NDArray[np.float64], domain: NDArray[np.intp], cluster: NDArray[np.intp]) -> VarianceParts:
    """Return the parts of finite values, pooled over domains: analysis of variance, the cells of unequal size.

    Where no cell has two items nothing is known of the part within, and all counts as between clusters.
    """
    width = int(cluster.max(initial=0)) + 1
    cells, place = np.unique(domain * width + cluster, return_inverse=True)
    size = np.bincount(place).astype(np.float64)
    mean = np.bincount(place, weights=values) / size
    of_cell = np.unique(cells // width, return_inverse=True)[1]
    total = np.bincount(of_cell, weights=size)
    centre = (np.bincount(of_cell, weights=size * mean) / total)[of_cell]
    n, n_cells, n_domains = len(values), len(size), len(total)
    if n_cells <= n_domains:
        return VarianceParts(float("nan"), float("nan"))
    between = float((size * (mean - centre) ** 2).sum() / (n_cells - n_domains))
    if n == n_cells:
        return VarianceParts(between, 0.0)
    within = float(((values - mean[place]) ** 2).sum() / (n - n_cells))
    typical = (n - (np.bincount(of_cell, weights=size**2) / total).sum()) / (n_cells - n_domains)
    return VarianceParts(max(0.0, (between - within) / typical), within)
