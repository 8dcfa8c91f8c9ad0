"""Pooled hidden states reduced to principal components, and the layers that predict left-out clusters best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from .ridge_path import RidgePath

#: Principal components of one layer and pooling, as in INSPECTOR.
COMPONENTS = 50
#: Layers and poolings that are tried for concatenation, best first, as in INSPECTOR.
TOP = 5


class Reduced(NamedTuple):
    """One layer's hidden states under one pooling, reduced."""

    pooling: str
    layer: int
    columns: NDArray[np.float64]
    """ndarray of shape (n_items, n_components), weighted mean 0 and total variance 1."""
    directions: NDArray[np.float64]
    """ndarray of shape (n_components, n_dimensions): ``columns = (states - mean) @ directions.T``."""
    mean: NDArray[np.float64]


def choose_states(
    hidden: Mapping[str, NDArray[Any]],
    human: NDArray[np.float64],
    weight: NDArray[np.float64],
    cluster: NDArray[np.intp],
    *,
    beside: NDArray[np.float64],
) -> list[Reduced]:
    """Return the layers and poolings to concatenate, reduced.

    Each layer and pooling is ranked by ridge's squared error on left-out clusters; the best is taken, and each of the
    next `TOP` - 1 is added where that lowers the error. The columns `beside`, those of groups, are always there.
    """

    def error_of(parts: list[Reduced]) -> float:
        columns = np.concatenate([*(one.columns for one in parts), beside], axis=1)
        return RidgePath.of(columns, human, weight, cluster).best()[1]

    ranked: list[tuple[float, Reduced]] = []
    for pooling, states in sorted(hidden.items()):
        for layer in range(states.shape[1]):
            one = _reduce(pooling, layer, states[:, layer], weight)
            if one is not None:
                ranked.append((error_of([one]), one))
                ranked = sorted(ranked, key=lambda pair: pair[0])[:TOP]
    if not ranked:
        raise LagerError("probe: the hidden states are the same for all items, so nothing can be learnt from them")
    error, first = ranked[0]
    chosen = [first]
    for _, one in ranked[1:]:
        found = error_of([*chosen, one])
        if found < error:
            error, chosen = found, [*chosen, one]
    return chosen


def _reduce(pooling: str, layer: int, states: NDArray[Any], weight: NDArray[np.float64]) -> Reduced | None:
    """Return the principal components of one layer, or None where it is the same for all items."""
    values = states.astype(np.float64)
    mean = weight @ values
    values -= mean
    rooted = np.sqrt(weight)[:, None] * values
    # The smaller of the two Gram matrices has the same components.
    if len(rooted) <= rooted.shape[1]:
        squares, left = np.linalg.eigh(rooted @ rooted.T)
        right = left.T @ rooted
    else:
        squares, vectors = np.linalg.eigh(rooted.T @ rooted)
        right = vectors.T
    total = squares.sum()
    kept = [i for i in np.argsort(-squares)[:COMPONENTS] if squares[i] > 1e-10 * total]
    # Of a constant layer only rounding is left.
    if total <= 1e-14 * max(float(mean @ mean), np.finfo(float).tiny) or not kept:
        return None
    directions = right[kept] / np.linalg.norm(right[kept], axis=1, keepdims=True) / np.sqrt(total)
    return Reduced(pooling, layer, values @ directions.T, directions, mean)
