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
    """What is minimised: a value and a gradient of layer weights, and of groups' intercepts behind them."""

    @property
    def n_entries(self) -> int:
        """How many weights there are."""

    @property
    def n_intercepts(self) -> int:
        """How many intercepts there are."""

    def sizes(self) -> NDArray[np.float64]:
        """Return the root mean square of each entry's logits, shape (n_entries,)."""

    def __call__(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient."""


class Minimum(NamedTuple):
    """Where the minimiser stopped."""

    weights: NDArray[np.float64]
    """ndarray of shape (n_entries,)."""
    intercepts: NDArray[np.float64]
    """ndarray of shape (n_intercepts,)."""
    loss: float
    iterations: int
    converged: bool
    """Whether what is left to gain is negligible."""

    @property
    def parameters(self) -> NDArray[np.float64]:
        """Weights, then intercepts, as a loss takes them."""
        return np.concatenate([self.weights, self.intercepts])


def minimise(loss: Loss, constraint: Constraint = "simplex", *, start: NDArray[np.float64] | None = None) -> Minimum:
    """Return the layer weights of least loss, and intercepts, which no constraint binds; same data, same answer.

    L-BFGS starts from `start` (weights, or weights and intercepts), or from uniform weights and no intercepts.
    """
    if start is None:
        start = np.full(loss.n_entries, 1.0 / loss.n_entries)
    start = np.append(start, np.zeros(loss.n_entries + loss.n_intercepts - len(start)))
    if constraint == "simplex":
        return minimise_on_simplex(loss, start)
    return _minimise_unbound(loss, start, constraint == "nonneg")


def minimise_on_simplex(loss: Loss, parameters: NDArray[np.float64]) -> Minimum:
    """Return the mixture weights of least loss, by L-BFGS from those that are given.

    The problem is ``min over v of loss(softmax(v))``, v0 = 0. Its infimum is the minimum over the closed simplex,
    mostly with several weights at zero, which softmax reaches only at infinity: L-BFGS in v stalls there, up to 1e-3
    above the minimum, as soon as a long step has made a useful weight tiny. So the search runs over
    ``w = c t / sum(c t)``, t >= 0 (L-BFGS-B), from the same start: the same infimum, reached in a fifth of the
    evaluations. The factors c make up for layers whose logits differ in size by orders of magnitude; where a line
    search still gives up early, another round starts from where it stopped. Nothing in it is random.
    """
    factors, n = _step_factors(loss.sizes()), loss.n_entries
    iterations = 0
    for _ in range(_MAX_ROUNDS):
        parameters, used = _descend(loss, parameters, factors)
        iterations += used
        value, gradient = loss(parameters)
        gain = float(parameters[:n] @ gradient[:n] - gradient[:n].min())
        if gain <= _GAIN_WORTH_A_ROUND:
            break
    return Minimum(parameters[:n], parameters[n:], value, iterations, gain <= _GAIN_LEFT)


def minimise_intercepts(loss: Loss, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intercepts of least loss at given weights, shape (n_intercepts,)."""
    if loss.n_intercepts == 0:
        return np.zeros(0)

    def of_intercepts(intercepts: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = loss(np.concatenate([weights, intercepts]))
        return value, gradient[len(weights) :]

    return np.asarray(_lbfgs(of_intercepts, np.zeros(loss.n_intercepts), None).x)


def minimise_scaling(loss: Loss) -> tuple[float, float]:
    """Return the slope, not negative, and the bias of least loss for one layer; intercepts are fitted and let go."""
    size = max(float(loss.sizes()[0]), np.finfo(float).tiny)
    factors = np.array([1.0 / size, *[1.0] * (1 + loss.n_intercepts)])

    def of_scaled(t: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = loss(factors * t)
        return value, factors * gradient

    # Bounds keep layers that separate few items perfectly from running off.
    start = np.array([1.0, *[0.0] * (1 + loss.n_intercepts)])
    result = _lbfgs(of_scaled, start, [(0.0, _STEEPEST), *[(-_STEEPEST, _STEEPEST)] * (1 + loss.n_intercepts)])
    slope, bias = (factors * result.x)[:2]
    return float(slope), float(bias)


def _minimise_unbound(loss: Loss, start: NDArray[np.float64], nonnegative: bool) -> Minimum:
    """Return the weights of least loss without the condition that they sum to 1."""
    n = loss.n_entries
    factors = np.append(_step_factors(loss.sizes()), np.ones(loss.n_intercepts))

    def of_scaled(t: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = loss(factors * t)
        return value, factors * gradient

    bounds: Bounds | None = [(0.0, None)] * n + [(None, None)] * loss.n_intercepts if nonnegative else None
    result = _lbfgs(of_scaled, start / factors, bounds)
    parameters = np.asarray(factors * result.x)
    weights, intercepts = parameters[:n], parameters[n:]
    value, gradient = loss(parameters)
    gradient = gradient[:n]
    # The slope along weights that may still move; one at 0 may only grow.
    slope = np.where((weights <= 0.0) & nonnegative, np.minimum(gradient, 0.0), gradient)
    return Minimum(weights, intercepts, value, int(result.nit), bool(np.abs(slope * weights).sum() <= _GAIN_LEFT))


def _descend(loss: Loss, start: NDArray[np.float64], factors: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return weights and intercepts after one run of L-BFGS-B, and its iterations."""
    n = len(factors)

    def of_scaled(t: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        unnormalised = factors * t[:n]
        total = unnormalised.sum()
        if total <= 0.0:  # a step into the corner where no mixture is defined: send the line search back
            return np.finfo(float).max, np.zeros_like(t)
        weights = unnormalised / total
        value, gradient = loss(np.append(weights, t[n:]))
        by_weight = factors * (gradient[:n] - weights @ gradient[:n]) / total
        return value, np.append(by_weight, gradient[n:])

    bounds: Bounds = [(0.0, None)] * n + [(None, None)] * loss.n_intercepts
    result = _lbfgs(of_scaled, np.append(n * start[:n] / factors, start[n:]), bounds)
    unnormalised = factors * result.x[:n]
    return np.append(unnormalised / unnormalised.sum(), result.x[n:]), int(result.nit)


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
