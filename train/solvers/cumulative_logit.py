"""The cumulative logit model: ordered classes behind one linear score (proportional odds; McCullagh 1980)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..aggregator.label_probabilities import class_probabilities, sigmoid

#: Variance of the standard logistic distribution, the unit of the latent score.
LOGISTIC_VARIANCE = np.pi**2 / 3.0

_MAX_STEPS = 200
_TOLERANCE = 1e-16
_SMALLEST = 1e-300


class CumulativeLogit(NamedTuple):
    """``P(class <= k) = sigmoid(theta_k - x . beta)`` with ascending thresholds."""

    thresholds: NDArray[np.float64]
    """ndarray of shape (n_classes - 1,)."""
    coefficients: NDArray[np.float64]
    """ndarray of shape (n_features,)."""
    loss: float
    """Mean negative log-likelihood and penalty at the minimum."""
    converged: bool


def fit_cumulative_logit(
    columns: NDArray[np.float64], targets: NDArray[np.float64], weight: NDArray[np.float64], penalty: float
) -> CumulativeLogit:
    """Minimise ``-sum_i w_i sum_k t_ik log P_k(x_i) + penalty / 2 |beta|^2`` by Newton's method.

    The sum is convex in thresholds and coefficients together (Pratt 1981), so that every start leads to the same
    minimum; steps are halved until the thresholds ascend and the loss falls.

    Parameters
    ----------
    columns : ndarray of shape (n_items, n_features)
    targets : ndarray of shape (n_items, n_classes)
        Each item's distribution over the classes, in ascending order; every class has some mass.
    weight : ndarray of shape (n_items,)
        Sum 1.
    penalty : float
        Not negative.
    """
    if columns.shape[1] > len(columns):  # beta lies in the space of the rows: as many coefficients as there are items
        basis, in_basis = np.linalg.qr(columns.T)
        fit = fit_cumulative_logit(in_basis.T, targets, weight, penalty)
        return fit._replace(coefficients=basis @ fit.coefficients)
    shares = np.cumsum(weight @ targets)[:-1]
    thresholds = np.log(shares / (1.0 - shares))
    n_cuts, n_features = len(thresholds), columns.shape[1]
    parameters = np.concatenate([thresholds, np.zeros(n_features)])
    value = loss_at(parameters, columns, targets, weight, penalty)
    for _ in range(_MAX_STEPS):
        gradient, hessian = derivatives(parameters, columns, targets, weight, penalty)
        step = _solve(hessian, gradient)
        decrement = float(gradient @ step)
        if decrement <= _TOLERANCE:
            return CumulativeLogit(parameters[:n_cuts], parameters[n_cuts:], value, True)
        length = 1.0
        while True:
            moved = parameters - length * step
            if (np.diff(moved[:n_cuts]) > 0.0).all():
                found = loss_at(moved, columns, targets, weight, penalty)
                if found <= value - 1e-4 * length * decrement:
                    break
            length /= 2.0
            if length < 1e-10:  # rounding, not slope, is what is left
                return CumulativeLogit(parameters[:n_cuts], parameters[n_cuts:], value, decrement <= 1e-6)
        parameters, value = moved, found
    return CumulativeLogit(parameters[:n_cuts], parameters[n_cuts:], value, False)


def loss_at(
    parameters: NDArray[np.float64],
    columns: NDArray[np.float64],
    targets: NDArray[np.float64],
    weight: NDArray[np.float64],
    penalty: float,
) -> float:
    """Return what `fit_cumulative_logit` minimises; thresholds first in `parameters`."""
    n_cuts = targets.shape[1] - 1
    beta = parameters[n_cuts:]
    proba = class_probabilities(columns @ beta, parameters[:n_cuts])
    log_proba = np.log(np.maximum(proba, _SMALLEST))
    return float(-weight @ (targets * log_proba).sum(axis=1) + penalty / 2.0 * beta @ beta)


def derivatives(
    parameters: NDArray[np.float64],
    columns: NDArray[np.float64],
    targets: NDArray[np.float64],
    weight: NDArray[np.float64],
    penalty: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gradient and Hessian of `loss_at`."""
    n_cuts = targets.shape[1] - 1
    beta = parameters[n_cuts:]
    scores = columns @ beta
    by_cut, own, between = _by_cut(scores, parameters[:n_cuts], targets)
    by_cut *= weight[:, None]
    own *= weight[:, None]
    between *= weight[:, None]
    gradient = np.concatenate([by_cut.sum(axis=0), penalty * beta - columns.T @ by_cut.sum(axis=1)])
    by_score = own.copy()  # how the slope of each cut changes with the score
    by_score[:, 1:] += between
    by_score[:, :-1] += between
    hessian = np.empty((len(parameters), len(parameters)))
    of_cuts = np.diag(own.sum(axis=0))
    step = np.arange(n_cuts - 1)
    of_cuts[step, step + 1] = of_cuts[step + 1, step] = between.sum(axis=0)
    hessian[:n_cuts, :n_cuts] = of_cuts
    hessian[n_cuts:, :n_cuts] = -(columns.T @ by_score)
    hessian[:n_cuts, n_cuts:] = hessian[n_cuts:, :n_cuts].T
    hessian[n_cuts:, n_cuts:] = (columns * by_score.sum(axis=1)[:, None]).T @ columns
    of_beta = np.arange(n_cuts, len(parameters))
    hessian[of_beta, of_beta] += penalty
    return gradient, hessian


def _by_cut(
    scores: NDArray[np.float64], thresholds: NDArray[np.float64], targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return derivatives of each item's loss by its cuts ``theta_j - s``; a cut touches only those beside it.

    Returns
    -------
    ndarray of shape (n_items, n_cuts)
        First derivatives.
    ndarray of shape (n_items, n_cuts)
        Second ones by the same cut twice.
    ndarray of shape (n_items, n_cuts - 1)
        And by a cut and the next.
    """
    proba = np.maximum(class_probabilities(scores, thresholds), _SMALLEST)
    below_cut = sigmoid(thresholds - scores[:, None])
    density = below_cut * (1.0 - below_cut)
    slope = density * (1.0 - 2.0 * below_cut)
    below, above = targets[:, :-1] / proba[:, :-1], targets[:, 1:] / proba[:, 1:]
    own = slope * (above - below) + density**2 * (below / proba[:, :-1] + above / proba[:, 1:])
    between = -density[:, :-1] * density[:, 1:] * targets[:, 1:-1] / proba[:, 1:-1] ** 2
    return density * (above - below), own, between


def _solve(hessian: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Newton step; the shortest one where features repeat each other and there is no penalty."""
    from scipy.linalg import cho_solve

    try:
        half = np.linalg.cholesky(hessian)
        if half.diagonal().min() > 1e-7 * half.diagonal().max():
            return np.asarray(cho_solve((half, True), gradient))
    except np.linalg.LinAlgError:
        pass
    return np.asarray(np.linalg.lstsq(hessian, gradient, rcond=1e-12)[0])
