"""Fit one weight per layer entry, in the three presets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.stored_readouts import StoredReadouts
from ...data.errors import LagerError
from ...data.scale import Scale
from ..aggregator.layer_options import Constraint
from ..aggregator.mixing import softmax
from ..aggregator.presets import check_preset
from .adam import AdamSettings, adam
from .minimise import minimise, minimise_intercepts
from .mixture_loss import MixtureLoss, label_major
from .training_data import RELEASED_ALPHA, check_training_data, counted_items, unit_of
from .training_targets import target_distributions, truncated_targets

if TYPE_CHECKING:
    from .streamed_loss import StreamedLoss

# The paper does not give its alpha; an even split is ours.
_PAPER_ALPHA = 0.5


class LayerWeights(NamedTuple):
    """Fitted layer weights and what the fit reached."""

    weights: NDArray[np.float64]
    """ndarray of shape (n_layers + 1,)."""
    loss: float
    """Training loss at the weights, over all items, in the preset's own definition."""
    loss_uniform: float
    """The same at uniform weights."""
    settings: dict[str, Any]
    """What the preset used and how it ended; JSON types only."""
    intercepts: NDArray[np.float64] = np.zeros(0)
    """ndarray of shape (n_groups * n_labels,), group after group; empty where there are none."""


def fit_layer_weights(
    logits: NDArray[Any],
    human: NDArray[np.float64],
    *,
    scale: Scale,
    preset: str = "converged",
    seed: int = 42,
    constraint: Constraint = "simplex",
    target: NDArray[np.float64] | None = None,
    weight: NDArray[np.float64] | None = None,
    group: NDArray[np.intp] | None = None,
) -> LayerWeights:
    """Fit the layer weights of a mixture of logits.

    Parameters
    ----------
    logits : ndarray of shape (n_items, n_layers + 1, n_labels), or StoredReadouts
        Those that are stored are fitted to without being in memory, in preset `converged`.
    human : ndarray of shape (n_items,)
        Scores on the scale.
    scale : Scale
    preset : {"converged", "paper", "release"}
    seed : int
        Order of the batches; `converged` uses none.
    constraint : {"simplex", "nonneg", "free"}
        What the weights may be, in preset `converged`; the others have their own.
    target : ndarray of shape (n_items, n_labels), optional
        Distribution of the annotators, the target of the cross-entropy; without it, or where it is NaN, the two labels
        beside the score. `release` takes none.
    weight : ndarray of shape (n_items,), optional
        How much each item counts; in preset `converged`.
    group : ndarray of shape (n_items,), optional
        Number from 0 of the group within which an item is compared: each gets intercepts, in preset `converged`. All
        items count then.

    Raises
    ------
    LagerError
        When the data cannot be used, see `check_training_data`.
    """
    check_preset(preset)
    if preset != "converged" and (constraint != "simplex" or weight is not None):
        what = f"+{constraint}" if weight is None else "item weights"
        raise LagerError(f"preset {preset} has no {what}: use preset converged")
    n_groups = 0 if group is None else int(group.max()) + 1
    if preset == "converged" and isinstance(logits, StoredReadouts):
        from .streamed_loss import streamed_loss

        with streamed_loss(logits, human, scale=scale, target=target, weight=weight) as streamed:
            return fit_converged(replace(streamed, group=group, n_groups=n_groups), constraint)
    if preset == "converged":
        loss = converged_loss(logits, human, scale=scale, target=target, weight=weight)
        return fit_converged(replace(loss, group=group, n_groups=n_groups), constraint)
    check_training_data(logits, human, scale)
    if preset == "paper":
        return _fit_paper(logits, human, scale, seed, target)
    return _fit_release(logits, human, scale, seed)


def converged_loss(
    logits: NDArray[Any],
    human: NDArray[np.float64],
    *,
    scale: Scale,
    target: NDArray[np.float64] | None = None,
    weight: NDArray[np.float64] | None = None,
) -> MixtureLoss:
    """Return the loss that preset converged minimises: soft targets, CE + MSE."""
    items = counted_items(logits, human, scale=scale, target=target, weight=weight)
    check_training_data(items.logits, items.human, scale)
    return MixtureLoss(
        label_major(items.logits),
        target_distributions(items.human, scale.array, items.target),
        items.human,
        scale.array,
        unit_of(scale),
        RELEASED_ALPHA,
        "squared",
        items.weight,
    )


def fit_converged(loss: MixtureLoss | StreamedLoss, constraint: Constraint = "simplex") -> LayerWeights:
    """Minimise a loss over layer weights."""
    n_entries, n_items = loss.n_entries, loss.n_items
    if constraint == "free" and n_items <= n_entries:
        raise LagerError(
            f"{n_items} items for {n_entries} free layer weights: label more than {n_entries} items, or leave out +free"
        )
    even = _uniform(n_entries)
    uniform, _ = loss(np.append(even, minimise_intercepts(loss, even)))
    minimum = minimise(loss, constraint)
    settings = {"alpha": loss.alpha, "iterations": minimum.iterations, "converged": minimum.converged}
    return LayerWeights(minimum.weights, minimum.loss, uniform, settings, minimum.intercepts)


def _fit_paper(
    logits: NDArray[Any],
    human: NDArray[np.float64],
    scale: Scale,
    seed: int,
    target: NDArray[np.float64] | None,
) -> LayerWeights:
    """Free weights from uniform, CE + MAE, Adam (paper, section 3.3 and 4). No parity is claimed: alpha is ours."""
    values = scale.array
    targets = target_distributions(human, values, target)
    items = MixtureLoss(label_major(logits), targets, human, values, unit_of(scale), _PAPER_ALPHA, "absolute")
    start = _uniform(logits.shape[1])
    adam_settings = AdamSettings()
    weights = adam(lambda w, batch: batch(w), items, start, settings=adam_settings, seed=seed)
    settings = {"alpha": _PAPER_ALPHA, "seed": seed, **adam_settings._asdict()}
    return LayerWeights(weights, items(weights)[0], items(start)[0], settings)


def _fit_release(logits: NDArray[Any], human: NDArray[np.float64], scale: Scale, seed: int) -> LayerWeights:
    """Fit as the authors' released code does: without the last entry, truncated scores, softmax weights, CE + MSE."""
    n_used = logits.shape[1] - 1
    if n_used < 1:
        raise LagerError("preset release drops the last entry, and the read-outs have only one: use preset converged")
    values = scale.array
    one_hot, truncated = truncated_targets(human, values)
    items = MixtureLoss(label_major(logits[:, :-1]), one_hot, truncated, values, 1.0, RELEASED_ALPHA, "squared")
    adam_settings = AdamSettings()
    parameters = adam(_softmax_weighted, items, np.zeros(n_used), settings=adam_settings, seed=seed)
    weights = softmax(parameters)
    settings = {"alpha": RELEASED_ALPHA, "seed": seed, **adam_settings._asdict()}
    return LayerWeights(np.append(weights, 0.0), items(weights)[0], items(_uniform(n_used))[0], settings)


def _softmax_weighted(parameters: NDArray[np.float64], batch: MixtureLoss) -> tuple[float, NDArray[np.float64]]:
    """Return the loss and gradient with respect to v where ``w = softmax(v)``."""
    weights = softmax(parameters)
    value, gradient = batch(weights)
    return value, weights * (gradient - weights @ gradient)


def _uniform(n_entries: int) -> NDArray[np.float64]:
    """Return equal weights that sum to 1."""
    return np.full(n_entries, 1.0 / n_entries)
