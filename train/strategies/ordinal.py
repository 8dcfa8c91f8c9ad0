"""`ordinal`: a cumulative logit model of the human score on every layer's logit of every label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.label_probabilities import label_probabilities
from ..aggregator.parameter_checks import check_thresholds
from ..aggregator.strategy import Fitted, Learnt
from .flattened import Flattened, standardised


@dataclass(frozen=True)
class Ordinal(Flattened):
    """``P(score <= s_k) = sigmoid(theta_k - a_g - sum_lj beta_lj z_lj)`` with a penalty on beta, a as in `Ridge`.

    The penalty is ridge's, chosen by leaving out every cluster once, brought from the residual variance of the scores
    to that of the logistic distribution: the same prior on the same features, without fitting anew for each penalty.
    A fractional score counts for the two labels beside it, annotators for what each said. A label that nobody gave has
    probability 0.
    """

    key: str = "ordinal"
    summary: str = "cumulative logit on all layers and labels"
    picks = "expectation"

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Choose the penalty, and fit."""
        from ..solvers.cumulative_logit import LOGISTIC_VARIANCE, fit_cumulative_logit
        from ..solvers.ridge_path import RidgePath
        from ..solvers.training_data import check_training_data
        from ..solvers.training_items import checked_clusters, class_targets, item_weights

        check_training_data(train.logits, train.human, train.scale)
        clusters = checked_clusters(train, strategy=self.name)
        weight = item_weights(train)
        features = standardised(train, self.options, weight)
        penalty = RidgePath.of(features.columns, train.human, weight, clusters).best()[0] / LOGISTIC_VARIANCE
        values, targets = class_targets(train)
        fit = fit_cumulative_logit(features.columns, targets, weight, penalty)
        coefficients, constant, intercepts = features.on_logits(fit.coefficients, train.logits.shape[1])
        parameters = {
            "coefficients": coefficients.tolist(),
            "thresholds": (fit.thresholds - constant).tolist(),
            "classes": values.tolist(),
            "penalty": penalty,
            **intercepts,
        }
        training = {"n": len(train), "converged": fit.converged, "penalised_loss": fit.loss}
        return Learnt(None, parameters, training)

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless there are coefficients and thresholds between classes."""
        super().check(fitted)
        check_thresholds(self.name, fitted.parameters)

    def predict_proba(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the model's distribution over the labels."""
        return label_probabilities(self.linear(fitted, readouts), fitted.parameters, fitted.scale)
