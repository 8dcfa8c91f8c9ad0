"""`lager-scaled`: every layer calibrated by itself before layers are mixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.scale import Scale
from ..aggregator.aggregator import Aggregator
from ..aggregator.mixing import scale_position
from ..aggregator.strategy_names import lookup
from ..solvers.minimise import minimise_scaling
from ..solvers.mixture_loss import MixtureLoss
from .labelled import padded, training_loss
from .lager_tuned import fit_converged


def fit_scaled(name: str, train: Readouts) -> Aggregator:
    """Fit ``z = sum_l w_l (z^(l) / T_l + b_l u)``, u the labels' values brought to -1..1.

    First a temperature T and a bias b for each layer alone, then the weights of the calibrated layers; each step by the
    loss of lager-tuned. A bias is a lean towards high or low scores, so that it means the same on any scale
    (temperature scaling: Guo et al. 2017; with a bias: Alexandari et al. 2020).

    Parameters
    ----------
    name : str
        ``lager-scaled``, with options.
    train : Readouts
        Labelled items.
    """
    options = lookup(name).options
    loss = training_loss(train, options)
    position = scale_position(train.scale)
    slopes, biases = calibrate_layers(loss, train.scale)
    calibrated = slopes[:, None, None] * loss.logits + biases[:, None, None] * position[:, None]
    fit = fit_converged(replace(loss, logits=calibrated), options.constraint)
    n_layers = train.logits.shape[1] - 1
    training = {"n": len(train), "loss": fit.loss, "loss_uniform": fit.loss_uniform, **fit.settings}
    # Slopes 1/T, not temperatures: a layer that knows nothing has an infinite one.
    parameters = {"slopes": list(padded(slopes, n_layers + 1)), "biases": list(padded(biases, n_layers + 1))}
    weights = padded(fit.weights, n_layers + 1)
    return Aggregator(name, "converged", train.scale, n_layers, weights, parameters, training)


def calibrate_layers(loss: MixtureLoss, scale: Scale) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each layer's 1/T, not negative, and bias, shape (n_entries,) each."""
    n_items = loss.logits.shape[2]
    lean = np.repeat(scale_position(scale)[:, None], n_items, axis=1)
    fits = [minimise_scaling(replace(loss, logits=np.stack([layer, lean]))) for layer in loss.logits]
    return np.array([slope for slope, _ in fits]), np.array([bias for _, bias in fits])
