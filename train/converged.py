"""Minimise the training loss over mixtures of layers until nothing is left to gain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .objective import MixtureLoss

_MAX_ITERATIONS = 2000
_GRADIENT_TOLERANCE = 1e-8
_LOSS_TOLERANCE = 1e-15
_MAX_ROUNDS = 8
# Another round starts while moving weight to one layer promises more than this much loss per unit of weight.
_GAIN_WORTH_A_ROUND = 1e-6
# A result that leaves more than this is reported as not converged.
_GAIN_LEFT = 1e-4


class Minimum(NamedTuple):
    """Where the minimiser stopped."""

    weights: NDArray[np.float64]
    """ndarray of shape (n_entries,), not negative, sum 1."""
    loss: float
    iterations: int
    converged: bool
    """Whether moving weight to any single layer would not lower the loss."""


def minimise_on_simplex(loss: MixtureLoss) -> Minimum:
    """Return the mixture weights of least loss, by L-BFGS from uniform weights.

    The problem is ``min over v of loss(softmax(v))``, v0 = 0. Its infimum is the minimum over the closed simplex,
    mostly with several weights at zero, which softmax reaches only at infinity: L-BFGS in v stalls there, up to 1e-3
    above the minimum, as soon as a long step has made a useful weight tiny. So the search runs over
    ``w = c t / sum(c t)``, t >= 0 (L-BFGS-B), from the same uniform start: the same infimum, reached in a fifth of the
    evaluations. The factors c make up for layers whose logits differ in size by orders of magnitude; where a line
    search still gives up early, another round starts from where it stopped. Nothing in it is random.
    """
    n_entries = loss.logits.shape[0]
    factors = _step_factors(loss.logits)
    weights = np.full(n_entries, 1.0 / n_entries)
    iterations = 0
    for _ in range(_MAX_ROUNDS):
        weights, used = _descend(loss, weights, factors)
        iterations += used
        value, gradient = loss(weights)
        gain = float(weights @ gradient - gradient.min())
        if gain <= _GAIN_WORTH_A_ROUND:
            break
    return Minimum(weights, value, iterations, gain <= _GAIN_LEFT)


def _descend(
    loss: MixtureLoss, start: NDArray[np.float64], factors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], int]:
    """Return the weights after one run of L-BFGS-B, and its iterations."""
    from scipy.optimize import minimize  # a third of this stage's start-up time

    def of_scaled(t: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        unnormalised = factors * t
        total = unnormalised.sum()
        if total <= 0.0:  # a step into the corner where no mixture is defined: send the line search back
            return np.finfo(float).max, np.zeros_like(t)
        weights = unnormalised / total
        value, gradient = loss(weights)
        return value, factors * (gradient - weights @ gradient) / total

    result = minimize(
        of_scaled,
        len(start) * start / factors,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * len(start),
        options={
            "maxiter": _MAX_ITERATIONS,
            "maxfun": 2 * _MAX_ITERATIONS,
            "ftol": _LOSS_TOLERANCE,
            "gtol": _GRADIENT_TOLERANCE,
            "maxcor": 20,
        },
    )
    unnormalised = factors * result.x
    return unnormalised / unnormalised.sum(), int(result.nit)


def _step_factors(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``1 / sqrt(size)`` of each entry's logits, around 1; found best of the powers that were tried."""
    flat = logits.reshape(len(logits), -1)
    size = np.sqrt(np.einsum("ij,ij->i", flat, flat) / flat.shape[1])
    largest = size.max()
    if largest == 0.0:
        return np.ones(len(size))
    factors = 1.0 / np.sqrt(np.maximum(size / largest, 1e-6))
    return np.asarray(factors / factors.mean())
