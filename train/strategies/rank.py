"""`lager-rank`: layer weights that order the training items best."""

from __future__ import annotations

import numpy as np

from ...data.cache.readouts import Readouts
from ..aggregator.aggregator import Aggregator
from ..aggregator.strategy_names import lookup
from ..solvers.minimise import minimise
from ..solvers.rank_loss import BANDWIDTH, RankLoss
from .labelled import padded, training_loss


def fit_ranked(name: str, train: Readouts) -> Aggregator:
    """Fit layer weights to a smooth rank correlation, see `RankLoss`.

    Only the order is fitted: scores lie on the scale, but nothing draws them to the human scores' size.

    Parameters
    ----------
    name : str
        ``lager-rank``, with options.
    train : Readouts
        Labelled items.
    """
    options = lookup(name).options
    loss = RankLoss.of(training_loss(train, options))
    n_used = loss.logits.shape[0]
    minimum = minimise(loss, options.constraint)
    n_layers = train.logits.shape[1] - 1
    training = {
        "n": len(train),
        "loss": minimum.loss,
        "loss_uniform": loss(np.full(n_used, 1.0 / n_used))[0],
        "bandwidth": BANDWIDTH,
        "iterations": minimum.iterations,
        "converged": minimum.converged,
    }
    weights = padded(minimum.weights, n_layers + 1)
    return Aggregator(name, "converged", train.scale, n_layers, weights, {}, training)
