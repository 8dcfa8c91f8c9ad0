"""`probe`: pooled hidden states of a few layers, reduced by PCA, under a linear head (INSPECTOR, arXiv 2601.22588)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.aggregator import Aggregator
from ..aggregator.strategy_names import lookup
from ..solvers.cumulative_logit import fit_cumulative_logit
from ..solvers.softmax_regression import fit_softmax_regression
from ..solvers.training_data import check_training_data
from .folds import cluster_codes
from .labelled import check_clusters, item_weights
from .ordinal import LOGISTIC_VARIANCE, class_targets
from .ridge import PENALTIES, RidgePath

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


def fit_probe(name: str, train: Readouts, *, seed: int) -> Aggregator:
    """Fit a head on the concatenated layers and poolings that predict left-out clusters best.

    Each layer and pooling is ranked by ridge's squared error on left-out clusters; the best is taken, and each of the
    next `TOP` - 1 is added where that lowers the error. Components are found on all training items, without their
    scores.

    Parameters
    ----------
    name : str
        ``probe``, which has a ridge head, ``probe:ordinal`` or ``probe:logistic``.
    train : Readouts
        Labelled items with hidden states.
    seed : int
        Not used: nothing is drawn.

    Raises
    ------
    LagerError
        Where there are no hidden states, or some are not finite.
    """
    check_hidden(train)
    check_training_data(train.logits, train.human, train.scale)
    check_clusters(train, strategy=name)
    weight = item_weights(train)
    chosen = _choose(train, weight)
    columns = np.concatenate([one.columns for one in chosen], axis=1)
    path = RidgePath.of(columns, train.human, weight, cluster_codes(train.cluster, len(train)))
    penalty, error = _best_penalty(path)
    head = lookup(name).head or "ridge"
    outputs, offsets, more = _fit_head(head, train, columns, path, penalty)
    directions, at = [], 0
    for one in chosen:
        ours = outputs[:, at : at + len(one.directions)] @ one.directions
        at += len(one.directions)
        offsets = offsets - ours @ one.mean
        directions.append(ours.tolist())
    parameters = {
        "features": [[one.pooling, one.layer] for one in chosen],
        "directions": directions,
        "offsets": offsets.tolist(),
        **more,
    }
    training = {"n": len(train), "components": columns.shape[1], "penalty": penalty, "left_out_rmse": error**0.5}
    return Aggregator(name, "converged", train.scale, train.logits.shape[1] - 1, None, parameters, training)


def check_hidden(train: Readouts) -> None:
    """Raise `LagerError` unless every item has finite hidden states."""
    if not train.hidden:
        raise LagerError("probe needs hidden states, and these read-outs have none: extract with --features hidden")
    for pooling, states in train.hidden.items():
        if states.ndim != 3 or len(states) != len(train):
            raise LagerError(
                f"hidden states of pooling {pooling} have shape {states.shape}, expected ({len(train)}, L + 1, d)"
            )
        if bad := int((~np.isfinite(states).all(axis=(1, 2))).sum()):
            raise LagerError(
                f"{bad} of {len(train)} items have hidden states that are not finite: drop the invalid rows"
            )


def _choose(train: Readouts, weight: NDArray[np.float64]) -> list[Reduced]:
    """Return the layers and poolings to concatenate."""
    cluster = cluster_codes(train.cluster, len(train))
    ranked: list[tuple[float, Reduced]] = []
    for pooling, states in sorted(train.hidden.items()):
        for layer in range(states.shape[1]):
            one = _reduce(pooling, layer, states[:, layer], weight)
            if one is not None:
                ranked.append((_best_penalty(RidgePath.of(one.columns, train.human, weight, cluster))[1], one))
                ranked = sorted(ranked, key=lambda pair: pair[0])[:TOP]
    if not ranked:
        raise LagerError("probe: the hidden states are the same for all items, so nothing can be learnt from them")
    error, first = ranked[0]
    chosen = [first]
    for _, one in ranked[1:]:
        columns = np.concatenate([other.columns for other in (*chosen, one)], axis=1)
        found = _best_penalty(RidgePath.of(columns, train.human, weight, cluster))[1]
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


def _best_penalty(path: RidgePath) -> tuple[float, float]:
    """Return the penalty of least error on left-out clusters, and that error."""
    errors = [path.left_out_error(penalty) for penalty in PENALTIES]
    best = int(np.argmin(errors))
    return float(PENALTIES[best]), float(errors[best])


def _fit_head(
    head: str, train: Readouts, columns: NDArray[np.float64], path: RidgePath, penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, Any]]:
    """Return a head's coefficients (n_outputs, n_columns), offsets (n_outputs,), and what else it needs to score."""
    weight = item_weights(train)
    if head == "ridge":
        return path.coefficients(penalty)[None], np.array([weight @ train.human]), {}
    values, targets = class_targets(train)
    if head == "ordinal":
        fit = fit_cumulative_logit(columns, targets, weight, penalty / LOGISTIC_VARIANCE)
        more = {"thresholds": fit.thresholds.tolist(), "classes": values.tolist()}
        return fit.coefficients[None], np.zeros(1), more
    coefficients, offsets = fit_softmax_regression(columns, targets, weight, penalty / LOGISTIC_VARIANCE)
    return coefficients, offsets, {"classes": values.tolist()}
