"""`ridge`: the human score regressed on every layer's logit of every label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.parameter_checks import is_vector, need
from ..aggregator.strategy import Fitted, Learnt
from .flattened import Flattened, standardised


@dataclass(frozen=True)
class Ridge(Flattened):
    """``score = c + a_g + sum_lk beta_lk z_lk`` with a penalty on beta (Hoerl & Kennard 1970).

    Where agreement counts within groups, a is an intercept for each, nearly free, so that beta is fitted within them.

    The penalty is the one of least squared error on left-out clusters, every cluster left out once, found from one
    decomposition without fitting anew. Scores are not cut at the ends of the scale: that would tie the best items.
    """

    key: str = "ridge"
    summary: str = "ridge regression on all layers and labels"

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Choose the penalty, and fit."""
        from ..solvers.ridge_path import RidgePath
        from ..solvers.training_data import check_training_data
        from ..solvers.training_items import checked_clusters, item_weights

        check_training_data(train.logits, train.human, train.scale)
        clusters = checked_clusters(train, strategy=self.name)
        weight = item_weights(train)
        features = standardised(train, self.options, weight)
        path = RidgePath.of(features.columns, train.human, weight, clusters)
        penalty, error = path.best()
        coefficients, constant, intercepts = features.on_logits(path.coefficients(penalty), train.logits.shape[1])
        training = {
            "n": len(train),
            "clusters": len(np.unique(clusters)),
            "left_out_rmse": float(np.sqrt(error)),
            "rmse_of_mean": float(np.sqrt(path.left_out_error(np.inf))),
        }
        parameters = {
            "coefficients": coefficients.tolist(),
            "intercept": float(weight @ train.human) + constant,
            "penalty": penalty,
            **intercepts,
        }
        return Learnt(None, parameters, training)

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless there are coefficients and an intercept."""
        super().check(fitted)
        need(is_vector([fitted.parameters.get("intercept")], 1), self.name, "a finite `intercept`")

    def predict(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the linear score."""
        return self.linear(fitted, readouts) + fitted.parameters["intercept"]
