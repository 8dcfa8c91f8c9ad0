"""`lager-rank`: layer weights that order the training items best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...data.cache.readouts import Readouts
from ..aggregator.group_intercepts import named_intercepts
from ..aggregator.strategy import Learnt
from .layer_mixture import FittedMixture, padded


@dataclass(frozen=True)
class Rank(FittedMixture):
    """Layer weights fitted to a smooth rank correlation, see `RankLoss`; where there are groups, to its mean over them.

    Only the order is fitted: scores lie on the scale, but nothing draws them to the human scores' size.
    """

    key: str = "lager-rank"
    summary: str = "layer weights fitted to rank correlation"

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Fit the layer weights."""
        from ..solvers.minimise import minimise, minimise_intercepts
        from ..solvers.rank_loss import BANDWIDTH, RankLoss
        from ..solvers.training_items import level_groups, training_loss

        of_scores = training_loss(train, self.options)
        loss = RankLoss.within_groups(of_scores)
        minimum = minimise(loss, self.options.constraint)
        training = {
            "n": len(train),
            "loss": minimum.loss,
            "loss_uniform": loss(np.full(loss.n_entries, 1.0 / loss.n_entries))[0],
            "bandwidth": BANDWIDTH,
            "iterations": minimum.iterations,
            "converged": minimum.converged,
        }
        between = minimise_intercepts(of_scores, minimum.weights)  # for what lies between groups
        intercepts = named_intercepts(level_groups(train)[0], between)
        return Learnt(padded(minimum.weights, train.logits.shape[1]), intercepts, training)
