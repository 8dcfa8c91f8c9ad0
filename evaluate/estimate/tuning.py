"""How far the judge is believed: the weight of its scores that makes the estimate least uncertain."""

from __future__ import annotations

import numpy as np

from .cluster_sums import ClusterSums, Floats


def tuned_weight(sums: ClusterSums) -> tuple[float, Floats, float]:
    """Return the weight for all domains together, that without each cluster, shape (n_clusters,), and the part kept.

    The estimates' summed variance is least at minus the covariance of the labelled means with the judge's differences
    over the variance of these. That is shrunk by twice the part of its square that its own error explains, so that a
    judge who says nothing costs nothing; below 0 it is 0.
    """
    human, judge = sums.influence()
    cross, square = (human * judge).sum(axis=0), (judge * judge).sum(axis=0)
    n = int(np.count_nonzero(square))

    products = np.array([cross, square, cross**2, cross * square, square**2])
    total = products.sum(axis=1, keepdims=True)
    weight, kept = _shrunk(total, n)
    return float(weight[0]), _shrunk(total - products, n - 1)[0], float(kept[0])


def _shrunk(products: Floats, n: int) -> tuple[Floats, Floats]:
    """Return the weights, and the parts of them that are kept, each shape (n_weights,).

    They come from sums over n clusters: of both products, and of these squared.
    """
    cross, square, cross2, both, square2 = products
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = -cross / square
        error = (cross2 + 2 * weight * both + weight**2 * square2) / square**2 * (n / max(n - 1, 1))
        part = np.maximum(0.0, 1.0 - 2.0 * error / weight**2)
    usable = np.isfinite(part) & (weight > 0)
    part = np.where(usable, part, 0.0)
    return np.where(usable, part * np.where(usable, weight, 0.0), 0.0), part
