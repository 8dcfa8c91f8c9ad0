"""`lager-scaled`: every layer calibrated by itself before layers are mixed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.group_intercepts import named_intercepts
from ..aggregator.mixing import mix_logits, scale_position
from ..aggregator.parameter_checks import is_vector, need
from ..aggregator.strategy import Fitted, Learnt
from .layer_mixture import FittedMixture, group_offsets, padded


@dataclass(frozen=True)
class Scaled(FittedMixture):
    """``z = sum_l w_l (z^(l) / T_l + b_l u)``, u the labels' values brought to -1..1.

    A bias is a lean towards high or low scores, so that it means the same on any scale (temperature scaling: Guo et al.
    2017; with a bias: Alexandari et al. 2020).
    """

    key: str = "lager-scaled"
    summary: str = "a temperature and a bias per layer, then weights"

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Fit a temperature and a bias for each layer alone, then weights, each step by the loss of lager-tuned."""
        from ..solvers.layer_weights import fit_converged
        from ..solvers.minimise import minimise_scaling
        from ..solvers.training_items import level_groups, training_loss

        loss = training_loss(train, self.options)
        position = scale_position(train.scale)
        lean = np.repeat(position[:, None], loss.n_items, axis=1)
        fits = [minimise_scaling(replace(loss, logits=np.stack([layer, lean]))) for layer in loss.logits]
        slopes, biases = (np.array(values) for values in zip(*fits, strict=True))
        calibrated = slopes[:, None, None] * loss.logits + biases[:, None, None] * position[:, None]
        fit = fit_converged(replace(loss, logits=calibrated), self.options.constraint)
        training = {"n": len(train), "loss": fit.loss, "loss_uniform": fit.loss_uniform, **fit.settings}
        n_entries = train.logits.shape[1]
        # Slopes 1/T, not temperatures: a layer that knows nothing has an infinite one.
        parameters = {
            "slopes": list(padded(slopes, n_entries)),
            "biases": list(padded(biases, n_entries)),
            **named_intercepts(level_groups(train)[0], fit.intercepts),
        }
        return Learnt(padded(fit.weights, n_entries), parameters, training)

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless every entry has a weight, a slope and a bias."""
        super().check(fitted)
        for key in ("slopes", "biases"):
            n_entries = fitted.n_layers + 1
            need(is_vector(fitted.parameters.get(key), n_entries), self.name, f"{n_entries} finite `{key}`")

    def predict_proba(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the distribution of the mixed, calibrated logits."""
        logits, weights = self.logits(fitted, readouts), np.array(fitted.weights)
        lean = float(weights @ np.array(fitted.parameters["biases"]))
        slopes = np.array(fitted.parameters["slopes"])
        offset, by_group = lean * scale_position(readouts.scale), group_offsets(fitted, readouts)
        return mix_logits(logits, weights * slopes, offset=offset if by_group is None else offset + by_group)

    def mixture(self, fitted: Fitted) -> None:
        """Return nothing: no other strategy has this distribution."""
