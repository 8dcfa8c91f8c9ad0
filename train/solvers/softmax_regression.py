"""Multinomial logistic regression on soft targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fit_softmax_regression(
    columns: NDArray[np.float64], targets: NDArray[np.float64], weight: NDArray[np.float64], penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minimise ``-sum_i w_i sum_k t_ik log softmax(B x_i + c)_k + penalty / 2 |B|^2`` by L-BFGS; it is convex.

    Parameters
    ----------
    columns : ndarray of shape (n_items, n_features)
    targets : ndarray of shape (n_items, n_classes)
    weight : ndarray of shape (n_items,)
        Sum 1.
    penalty : float
        Positive.

    Returns
    -------
    ndarray of shape (n_classes, n_features)
    ndarray of shape (n_classes,)
    """
    from scipy.optimize import minimize

    n_classes, n_features = targets.shape[1], columns.shape[1]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = flat.reshape(n_classes, n_features + 1)
        slopes, offsets = parameters[:, :-1], parameters[:, -1]
        scores = columns @ slopes.T + offsets
        scores -= scores.max(axis=1, keepdims=True)
        log_proba = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        value = -(weight @ (targets * log_proba).sum(axis=1)) + penalty / 2.0 * (slopes**2).sum()
        by_score = weight[:, None] * (np.exp(log_proba) - targets)
        gradient = np.column_stack([by_score.T @ columns + penalty * slopes, by_score.sum(axis=0)])
        return float(value), gradient.ravel()

    start = np.zeros((n_classes, n_features + 1))
    result = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "gtol": 1e-8})
    parameters = result.x.reshape(start.shape)
    return parameters[:, :-1], parameters[:, -1]
