"""`ridge`: the human score regressed on every layer's logit of every label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.aggregator import Aggregator
from ..aggregator.strategy_names import lookup
from ..solvers.training_data import check_training_data
from .flattened import standardised
from .folds import cluster_codes
from .labelled import check_clusters, item_weights

#: Penalties tried, in units of the number of items: features have deviation 1.
PENALTIES = np.logspace(-4, 4, 33)


def fit_ridge(name: str, train: Readouts) -> Aggregator:
    """Fit ``score = c + sum_lk beta_lk z_lk`` with a penalty on beta (Hoerl & Kennard 1970).

    The penalty is the one of least squared error on left-out clusters, every cluster left out once, found from one
    decomposition without fitting anew. Scores are not cut at the ends of the scale: that would tie the best items.

    Parameters
    ----------
    name : str
        ``ridge``, with options.
    train : Readouts
        Labelled items.
    """
    options = lookup(name).options
    check_training_data(train.logits, train.human, train.scale)
    n_clusters = check_clusters(train, strategy=name)
    weight = item_weights(train)
    features = standardised(train, options, weight)
    cluster = cluster_codes(train.cluster, len(train))
    path = RidgePath.of(features.columns, train.human, weight, cluster)
    errors = np.array([path.left_out_error(penalty) for penalty in PENALTIES])
    best = int(errors.argmin())
    coefficients, constant = features.on_logits(path.coefficients(PENALTIES[best]), train.logits.shape[1])
    training = {
        "n": len(train),
        "clusters": n_clusters,
        "left_out_rmse": float(np.sqrt(errors[best])),
        "rmse_of_mean": float(np.sqrt(path.left_out_error(np.inf))),
    }
    parameters = {
        "coefficients": coefficients.tolist(),
        "intercept": float(weight @ train.human) + constant,
        "penalty": float(PENALTIES[best]),
    }
    return Aggregator(name, "converged", train.scale, train.logits.shape[1] - 1, None, parameters, training)


@dataclass(frozen=True)
class RidgePath:
    """Ridge regression at every penalty, from one singular value decomposition.

    Minimises ``sum_i w_i (y_i - c - x_i . beta)^2 + penalty |beta|^2`` with the constant c free of penalty. With rows
    scaled by the root of their weight, ``sqrt(w) X = U S V'``, the residuals of a left-out cluster C are those of the
    whole fit through ``(I - H_CC)^-1``, ``H = U S^2 / (S^2 + penalty) U' + sqrt(w) sqrt(w)'``.
    """

    left: NDArray[np.float64]
    singular: NDArray[np.float64]
    right: NDArray[np.float64]
    response: NDArray[np.float64]
    root_weight: NDArray[np.float64]
    members: list[NDArray[np.intp]]

    @cached_property
    def _projected(self) -> NDArray[np.float64]:
        return self.left.T @ self.response

    @classmethod
    def of(
        cls,
        columns: NDArray[np.float64],
        human: NDArray[np.float64],
        weight: NDArray[np.float64],
        cluster: NDArray[np.intp],
    ) -> RidgePath:
        """Decompose once.

        Parameters
        ----------
        columns : ndarray of shape (n_items, n_features)
            With weighted mean 0.
        human : ndarray of shape (n_items,)
        weight : ndarray of shape (n_items,)
            Sum 1.
        cluster : ndarray of shape (n_items,)
            Cluster numbers from 0.
        """
        root = np.sqrt(weight)
        left, singular, right = np.linalg.svd(root[:, None] * columns, full_matrices=False)
        kept = singular > max(columns.shape) * np.finfo(float).eps * (singular[0] if len(singular) else 0.0)
        response = root * (human - weight @ human)
        return cls(left[:, kept], singular[kept], right[kept], response, root, _by_size(cluster))

    def coefficients(self, penalty: float) -> NDArray[np.float64]:
        """Return beta, shape (n_features,)."""
        return self.right.T @ (self.singular / (self.singular**2 + penalty) * self._projected)

    def left_out_error(self, penalty: float) -> float:
        """Return the weighted mean squared error of every cluster predicted from the others."""
        kept = self.singular**2 / (self.singular**2 + penalty)
        residual = self.response - self.left @ (kept * self._projected)
        # H = A A', the constant's column among those of A.
        half = np.column_stack([self.left * np.sqrt(kept), self.root_weight])
        total = 0.0
        for rows in self.members:
            if rows.shape[1] == 1:  # clusters of one item: H_CC is a number
                single = rows[:, 0]
                leverage = np.einsum("ij,ij->i", half[single], half[single])
                total += float(((residual[single] / np.maximum(1.0 - leverage, 1e-12)) ** 2).sum())
            else:
                total += _left_out_together(half[rows], residual[rows])
        return total


def _left_out_together(half: NDArray[np.float64], residual: NDArray[np.float64]) -> float:
    """Return the squared error of clusters of equal size.

    Parameters
    ----------
    half : ndarray of shape (n_clusters, size, n_columns)
    residual : ndarray of shape (n_clusters, size)
    """
    turned = half.transpose(0, 2, 1)
    if half.shape[1] <= half.shape[2]:
        left_out = np.linalg.solve(np.eye(half.shape[1]) - half @ turned, residual[:, :, None])
    else:  # Woodbury: a system of the columns' size instead of the cluster's
        inner = np.linalg.solve(np.eye(half.shape[2]) - turned @ half, turned @ residual[:, :, None])
        left_out = residual[:, :, None] + half @ inner
    return float((left_out**2).sum())


def _by_size(cluster: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the rows of clusters, those of one size together: arrays of shape (n_clusters, size)."""
    order = np.argsort(cluster, kind="stable")
    counts = np.bincount(cluster)
    groups = np.split(order, np.cumsum(counts)[:-1])
    return [np.array([g for g in groups if len(g) == size]) for size in np.unique(counts[counts > 0])]
