"""Minimise a training loss over layer weights until nothing is left to gain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..aggregator.layer_options import Constraint

_MAX_ITERATIONS = 2000
_GRADIENT_TOLERANCE = 1e-8
_LOSS_TOLERANCE = 1e-15
_MAX_ROUNDS = 8
# Another round starts while moving weight to one layer promises more than this much loss per unit of weight.
_GAIN_WORTH_A_ROUND = 1e-6
# A result that leaves more than this is reported as not converged.
_GAIN_LEFT = 1e-4
# Largest slope and bias of one layer, in units of its own size: a label e^50 times as likely is certain.
_STEEPEST = 50.0

Bounds = list[tuple[float | None, float | None]]


class Loss(Protocol):
    """What is minimised: a value and a gradient of layer weights."""

    @property
    def n_entries(self) -> int:
        """How many weights there are."""

    def sizes(self) -> NDArray[np.float64]:
        """Return the root mean square of each entry's logits, shape (n_entries,)."""

    def __call__(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient."""


class Minimum(NamedTuple):
    """Where the minimiser stopped."""

    weights: NDArray[np.float64]
    """ndarray of shape (n_entries,)."""
    loss: float
    iterations: int
    converged: bool
    """Whether what is left to gain is negligible."""


def minimise(loss: Loss, constraint: Constraint = "simplex", *, start: NDArray[np.float64] | None = None) -> Minimum:
    """Return the layer weights of least loss, by L-BFGS from `start` or uniform weights; same data, same answer."""
    if start is None:
        start = np.full(loss.n_entries, 1.0 / loss.n_entries)
    if constraint == "simplex":
        return minimise_on_simplex(loss, start)
    return _minimise_unbound(loss, start, constraint == "nonneg")


def minimise_on_simplex(loss: Loss, weights: NDArray[np.float64]) -> Minimum:
    """Return the mixture weights of least loss, by L-BFGS from those that are given.

    The problem is ``min over v of loss(softmax(v))``, v0 = 0. Its infimum is the minimum over the closed simplex,
    mostly with several weights at zero, which softmax reaches only at infinity: L-BFGS in v stalls there, up to 1e-3
    above the minimum, as soon as a long step has made a useful weight tiny. So the search runs over
    ``w = c t / sum(c t)``, t >= 0 (L-BFGS-B), from the same start: the same infimum, reached in a fifth of the
    evaluations. The factors c make up for layers whose logits differ in size by orders of magnitude; where a line
    search still gives up early, another round starts from where it stopped. Nothing in it is random.
    """
    factors = _step_factors(loss.sizes())
    iterations = 0
    for _ in range(_MAX_ROUNDS):
        weights, used = _descend(loss, weights, factors)
        iterations += used
        value, gradient = loss(weights)
        gain = float(weights @ gradient - gradient.min())
        if gain <= _GAIN_WORTH_A_ROUND:
            break
    return Minimum(weights, value, iterations, gain <= _GAIN_LEFT)


def minimise_scaling(loss: Loss) -> tuple[float, float]:
    """Return the slope, not negative, and the bias of least loss for one layer."""
    size = max(float(loss.sizes()[0]), np.finfo(float).tiny)
    factors = np.array([1.0 / size, 1.0])

    def of_scaled(t: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = loss(factors * t)
        return value, factors * gradient

    # Bounds keep layers that separate few items perfectly from running off.
    result = _lbfgs(of_scaled, np.array([1.0, 0.0]), [(0.0, _STEEPEST), (-_STEEPEST, _STEEPEST)])
    slope, bias = factors * result.x
    return float(slope), float(bias)


def _minimise_unbound(loss: Loss, start: NDArray[np.float64], nonnegative: bool) -> Minimum:
    """Return the weights of least loss without the condition that they sum to 1."""
    factors = _step_factors(loss.sizes())

    def of_scaled(t: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = loss(factors * t)
        return value, factors * gradient

    bounds: Bounds | None = [(0.0, None)] * len(start) if nonnegative else None
    result = _lbfgs(of_scaled, start / factors, bounds)
    weights = np.asarray(factors * result.x)
    value, gradient = loss(weights)
    # The slope along weights that may still move; one at 0 may only grow.
    slope = np.where((weights <= 0.0) & nonnegative, np.minimum(gradient, 0.0), gradient)
    return Minimum(weights, value, int(result.nit), bool(np.abs(slope * weights).sum() <= _GAIN_LEFT))


def _descend(loss: Loss, start: NDArray[np.float64], factors: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return the weights after one run of L-BFGS-B, and its iterations."""

    def of_scaled(t: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        unnormalised = factors * t
        total = unnormalised.sum()
        if total <= 0.0:  # a step into the corner where no mixture is defined: send the line search back
            return np.finfo(float).max, np.zeros_like(t)
        weights = unnormalised / total
        value, gradient = loss(weights)
        return value, factors * (gradient - weights @ gradient) / total

    result = _lbfgs(of_scaled, len(start) * start / factors, [(0.0, None)] * len(start))
    unnormalised = factors * result.x
    return unnormalised / unnormalised.sum(), int(result.nit)


def _lbfgs(
    function: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]],
    start: NDArray[np.float64],
    bounds: Bounds | None,
) -> Any:
    """Return scipy's result of L-BFGS-B."""
    from scipy.optimize import minimize  # a third of this stage's start-up time

    return minimize(
        function,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={
            "maxiter": _MAX_ITERATIONS,
            "maxfun": 2 * _MAX_ITERATIONS,
            "ftol": _LOSS_TOLERANCE,
            "gtol": _GRADIENT_TOLERANCE,
            "maxcor": 20,
        },
    )


def _step_factors(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``1 / sqrt(size)`` of each entry's logits, around 1; found best of the powers that were tried."""
    largest = sizes.max()
    if largest == 0.0:
        return np.ones(len(sizes))
    factors = 1.0 / np.sqrt(np.maximum(sizes / largest, 1e-6))
    return np.asarray(factors / factors.mean())
