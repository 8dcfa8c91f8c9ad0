"""How far the judge is believed: the weight of its scores that makes the estimate least uncertain."""

from __future__ import annotations

import numpy as np

from .cluster_sums import ClusterSums, Floats


def tuned_weight(sums: ClusterSums) -> tuple[float, Floats]:
    """Return the weight for all domains together, and what it is with each cluster left out, shape (n_clusters,).

    The estimates' summed variance is least at minus the covariance of the labelled means with the judge's differences
    over the variance of these. That is shrunk by twice the part of its square that its own error explains, so that a
    judge who says nothing costs nothing; below 0 it is 0.
    """
    human, judge = sums.influence()
    cross, square = (human * judge).sum(axis=0), (judge * judge).sum(axis=0)
    n = int(np.count_nonzero(square))

    products = np.array([cross, square, cross**2, cross * square, square**2])
    total = products.sum(axis=1, keepdims=True)
    return float(_shrunk(total, n)[0]), _shrunk(total - products, n - 1)


def _shrunk(products: Floats, n: int) -> Floats:
    """Return the weights from sums over n clusters: of the products, of these squared, each shape (n_weights,)."""
    cross, square, cross2, both, square2 = products
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = -cross / square
        error = (cross2 + 2 * weight * both + weight**2 * square2) / square**2 * (n / max(n - 1, 1))
        kept = weight * np.maximum(0.0, 1.0 - 2.0 * error / weight**2)
    return np.asarray(np.where(np.isfinite(kept) & (weight > 0), kept, 0.0))
