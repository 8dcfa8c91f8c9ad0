"""Whether what a judge says at its layers has shifted, without any label: the same items read twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..decisions.cluster_codes import cluster_codes

SEEN = 0.05
_AT_ONCE = 1 << 20  # flips of clusters at once
_ROUNDING = 1e-12


@dataclass(frozen=True)
class LayerShift:
    """One entry of the layer axis.

    Parameters
    ----------
    layer : int
        0 for the embedding.
    mean : float
        Mean change of the score that the layer gives, in units of the scale.
    size : float
        Mean size of the changes of single items.
    p : float
        That there is no shift at any layer, from this layer's: corrected for how many there are.
    """

    layer: int
    mean: float
    size: float
    p: float


@dataclass(frozen=True)
class ReadoutShift:
    """The shift at every layer.

    Parameters
    ----------
    layers : tuple of LayerShift
    n, n_clusters : int
        Items and clusters.
    permutations : int
    """

    layers: tuple[LayerShift, ...]
    n: int
    n_clusters: int
    permutations: int

    @property
    def p(self) -> float:
        """That there is no shift at any layer."""
        return min(one.p for one in self.layers)

    @property
    def seen(self) -> bool:
        """Whether that is below 5 %."""
        return self.p < SEEN

    @property
    def largest(self) -> LayerShift:
        """The layer of the smallest p-value, of equal ones that of the largest mean change."""
        return min(self.layers, key=lambda one: (one.p, -abs(one.mean)))

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        about = {"n": self.n, "n_clusters": self.n_clusters, "permutations": self.permutations}
        return {"seen": self.seen, "p": self.p, **about, "layers": [vars(one) for one in self.layers]}


def readout_shift(
    baseline: ArrayLike,
    new: ArrayLike,
    *,
    cluster: ArrayLike | pl.Series | None = None,
    permutations: int = 999,
    seed: int = 42,
) -> ReadoutShift:
    """Test whether the scores that layers give have shifted.

    Were the judge the same, each cluster's two readings could as well be swapped: the signs of clusters are flipped at
    random, and a layer's |t| of the sums over clusters is compared with the largest over all layers (max-T, Westfall &
    Young 1993).

    Parameters
    ----------
    baseline, new : array-like of shape (n_items, n_layers + 1)
        The expected score of each layer entry, of the same items in the same order, all finite.
    cluster : array-like or polars.Series of shape (n_items,), optional
    permutations, seed : int

    Returns
    -------
    ReadoutShift

    Raises
    ------
    LagerError
        When shapes differ, values are not finite, or there are fewer than two clusters.
    """
    then, now = np.asarray(baseline, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if then.shape != now.shape or then.ndim != 2 or not len(then):
        raise LagerError(
            f"read-outs have shapes {then.shape} and {now.shape}, expected (n_items, n_layers + 1) of the same items"
        )
    change = now - then
    if not np.isfinite(change).all():
        raise LagerError("read-outs hold values that are not finite: keep only the rows that are valid in both")
    if permutations < 1:
        raise LagerError(f"{permutations} permutations: expected 1 or more; 999 is usual")
    n_clusters, codes = (len(change), np.arange(len(change))) if cluster is None else cluster_codes(cluster)
    if len(codes) != len(change):
        raise LagerError(f"cluster has {len(codes)} labels for {len(change)} items: give one each")
    if n_clusters < 2:
        raise LagerError("the items are of one cluster, and a shift is told by how far clusters agree on it")
    sums = np.zeros((n_clusters, change.shape[1]))
    np.add.at(sums, codes, change)
    sums[np.abs(sums) <= _ROUNDING * np.abs(sums).max(initial=0.0)] = 0.0
    seen = _t(sums.sum(axis=0), sums)
    rng, largest = np.random.default_rng(seed), []
    block = max(1, _AT_ONCE // n_clusters)
    for first in range(0, permutations, block):
        signs = rng.integers(0, 2, size=(min(block, permutations - first), n_clusters)) * 2.0 - 1.0
        largest.append(_t(signs @ sums, sums).max(axis=1))
    exceeded = (np.concatenate(largest)[:, None] >= seen - 1e-9).sum(axis=0)
    p = (1 + exceeded) / (1 + permutations)
    rows = zip(change.mean(axis=0), np.abs(change).mean(axis=0), p, strict=True)
    layers = tuple(LayerShift(k, float(mean), float(size), float(one)) for k, (mean, size, one) in enumerate(rows))
    return ReadoutShift(layers, len(change), n_clusters, permutations)


def _t(totals: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |t| of sums over clusters, whose squares no flip changes; 0 where nothing changed."""
    n, squares = len(sums), (sums**2).sum(axis=0)
    rest = np.maximum(squares - totals**2 / n, _ROUNDING * squares)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(squares > 0, np.abs(totals) / np.sqrt(rest * n / (n - 1)), 0.0)
