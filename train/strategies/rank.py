"""`lager-rank`: layer weights that order the training items best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...data.cache.readouts import Readouts
from ..aggregator.strategy import Learnt
from .layer_mixture import FittedMixture, padded


@dataclass(frozen=True)
class Rank(FittedMixture):
    """Layer weights fitted to a smooth rank correlation, see `RankLoss`.

    Only the order is fitted: scores lie on the scale, but nothing draws them to the human scores' size.
    """

    key: str = "lager-rank"
    summary: str = "layer weights fitted to rank correlation"

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Fit the layer weights."""
        from ..solvers.minimise import minimise
        from ..solvers.rank_loss import BANDWIDTH, RankLoss
        from ..solvers.training_items import training_loss

        loss = RankLoss.of(training_loss(train, self.options))
        minimum = minimise(loss, self.options.constraint)
        training = {
            "n": len(train),
            "loss": minimum.loss,
            "loss_uniform": loss(np.full(loss.n_entries, 1.0 / loss.n_entries))[0],
            "bandwidth": BANDWIDTH,
            "iterations": minimum.iterations,
            "converged": minimum.converged,
        }
        return Learnt(padded(minimum.weights, train.logits.shape[1]), {}, training)
