"""`ordinal`: a cumulative logit model of the human score on every layer's logit of every label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.aggregator import Aggregator
from ..aggregator.strategy_names import lookup
from ..solvers.cumulative_logit import fit_cumulative_logit
from ..solvers.score_targets import target_distributions
from ..solvers.training_data import check_training_data
from .flattened import standardised
from .folds import cluster_codes
from .labelled import check_clusters, item_weights
from .ridge import PENALTIES, RidgePath

#: Variance of the standard logistic distribution, the unit of the latent score.
LOGISTIC_VARIANCE = np.pi**2 / 3.0


def fit_ordinal(name: str, train: Readouts) -> Aggregator:
    """Fit ``P(score <= s_k) = sigmoid(theta_k - sum_lj beta_lj z_lj)`` with a penalty on beta.

    The penalty is ridge's, chosen by leaving out every cluster once, brought from the residual variance of the scores
    to that of the logistic distribution: the same prior on the same features, without fitting anew for each penalty.
    A fractional score counts for the two labels beside it, annotators for what each said. A label that nobody gave has
    probability 0.

    Parameters
    ----------
    name : str
        ``ordinal``, with options.
    train : Readouts
        Labelled items.
    """
    options = lookup(name).options
    check_training_data(train.logits, train.human, train.scale)
    check_clusters(train, strategy=name)
    weight = item_weights(train)
    features = standardised(train, options, weight)
    path = RidgePath.of(features.columns, train.human, weight, cluster_codes(train.cluster, len(train)))
    ridge = float(PENALTIES[int(np.argmin([path.left_out_error(penalty) for penalty in PENALTIES]))])
    values, targets = class_targets(train)
    fit = fit_cumulative_logit(features.columns, targets, weight, ridge / LOGISTIC_VARIANCE)
    coefficients, constant = features.on_logits(fit.coefficients, train.logits.shape[1])
    parameters = {
        "coefficients": coefficients.tolist(),
        "thresholds": (fit.thresholds - constant).tolist(),
        "classes": values.tolist(),
        "penalty": ridge / LOGISTIC_VARIANCE,
    }
    training = {"n": len(train), "converged": fit.converged, "penalised_loss": fit.loss}
    return Aggregator(name, "converged", train.scale, train.logits.shape[1] - 1, None, parameters, training)


def class_targets(train: Readouts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the label values that somebody gave, ascending, and each item's distribution over them.

    Returns
    -------
    ndarray of shape (n_classes,)
    ndarray of shape (n_items, n_classes)
    """
    by_label = target_distributions(train.human, train.scale.array, train.target)
    values, place = np.unique(train.scale.array, return_inverse=True)
    by_value = np.zeros((len(values), len(train)))
    np.add.at(by_value, place, by_label)
    given = by_value.sum(axis=1) > 1e-9
    kept = by_value[given].T
    return values[given], kept / kept.sum(axis=1, keepdims=True)
