"""`best-layer`: the single layer entry whose expectation ranks the training items best."""

from __future__ import annotations

import numpy as np

from ..data.errors import LagerError
from ..data.readouts import Readouts
from .aggregator import Aggregator
from .labelled import item_weights, used_logits
from .layer_weights import check_training_data
from .mixing import expected_value, require_finite, softmax
from .rank_correlation import weighted_ranks
from .strategy_names import lookup


def fit_best_layer(name: str, train: Readouts) -> Aggregator:
    """Choose the entry of highest Spearman on the training items; of equal ones the lowest.

    Raises
    ------
    LagerError
        When no entry's expectation varies.
    """
    logits = used_logits(train, lookup(name).options)
    check_training_data(logits, train.human, train.scale)
    weight = item_weights(train)
    human = weighted_ranks(train.human, weight)
    best: tuple[float, int] | None = None
    for entry in range(logits.shape[1]):
        proba = softmax(logits[:, entry].astype(np.float64))
        require_finite(proba)
        scores = expected_value(proba, train.scale.array)
        rho = _correlation(weighted_ranks(scores, weight), human, weight)
        if rho is not None and (best is None or rho > best[0]):
            best = (rho, entry)
    if best is None:
        raise LagerError("no layer's score varies over the training items, so none is best: train on more items")
    n_layers = train.logits.shape[1] - 1
    parameters = {"layer": best[1], "spearman": best[0]}
    weights = one_hot(best[1], n_layers)
    return Aggregator(name, "converged", train.scale, n_layers, weights, parameters, {"n": len(train)})


def one_hot(layer: int, n_layers: int) -> tuple[float, ...]:
    """Return all weight on one entry."""
    return tuple(float(entry == layer) for entry in range(n_layers + 1))


def _correlation(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> float | None:
    """Return the weighted correlation, None where a side is constant."""
    a, b = a - weight @ a, b - weight @ b
    norm = float(np.sqrt((weight @ a**2) * (weight @ b**2)))
    return float(weight @ (a * b)) / norm if norm > 1e-12 else None
