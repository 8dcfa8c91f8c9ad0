"""`lager-shrunk`: fitted layer weights pulled towards even ones, as far as left-out clusters ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.group_intercepts import named_intercepts
from ..aggregator.layer_options import Constraint
from ..aggregator.strategy import Fitted, Learnt
from .layer_mixture import FittedMixture, means_over_folds, padded

if TYPE_CHECKING:
    from ..solvers.folds import Split
    from ..solvers.mixture_loss import MixtureLoss

#: Share of the even weights: 0 is lager-tuned, 1 is lager.
STRENGTHS = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True)
class Shrunk(FittedMixture):
    """``w = (1 - c) w_tuned + c / (L + 1)``.

    The strength c is the one of `STRENGTHS` whose scores of left-out clusters rank best, by the mean over folds of
    `level_spearman`; of equally good ones the largest.
    """

    key: str = "lager-shrunk"
    summary: str = "lager-tuned pulled towards uniform weights"
    chooses_by_clusters = True

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Choose the strength, then fit the weights on all items."""
        from ..solvers.minimise import minimise, minimise_intercepts
        from ..solvers.training_items import inner_folds, level_groups, training_loss

        constraint = self.options.constraint
        loss = training_loss(train, self.options)
        folds = inner_folds(train, strategy=self.name, seed=seed)
        rhos = strength_curve(loss, folds, constraint)
        strength = float(STRENGTHS[len(rhos) - 1 - int(np.argmax(rhos[::-1]))])
        weights = (1.0 - strength) * minimise(loss, constraint).weights + strength / loss.n_entries
        even = np.full(loss.n_entries, 1.0 / loss.n_entries)
        intercepts, even_intercepts = minimise_intercepts(loss, weights), minimise_intercepts(loss, even)
        training = {
            "n": len(train),
            "loss": loss(np.append(weights, intercepts))[0],
            "loss_uniform": loss(np.append(even, even_intercepts))[0],
            "folds": len(folds),
            "spearman_by_strength": rhos.tolist(),
        }
        parameters = {"strength": strength, **named_intercepts(level_groups(train)[0], intercepts)}
        return Learnt(padded(weights, train.logits.shape[1]), parameters, training)

    def doubt(self, fitted: Fitted, n: int) -> None:
        """Return nothing: few items are what it is for."""

    def told(self, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the strength."""
        return {"strength": f"{parameters['strength']:g}"}


def strength_curve(loss: MixtureLoss, folds: list[Split], constraint: Constraint) -> NDArray[np.float64]:
    """Return the mean over folds of the agreement at each of `STRENGTHS`; -1 where it is undefined."""
    from ..solvers.minimise import minimise, minimise_intercepts
    from ..solvers.mixture_loss import expected_scores
    from ..solvers.rank_correlation import level_spearman

    by_fold = np.full((len(STRENGTHS), len(folds)), np.nan)
    even = np.full(loss.n_entries, 1.0 / loss.n_entries)
    for column, fold in enumerate(folds):
        # Mixed logits are linear in the weights: two mixtures give those of every strength.
        train, test = loss.take(fold.train), loss.take(fold.test)
        tuned = test.mixed(minimise(train, constraint).parameters)
        untuned = test.mixed(np.append(even, minimise_intercepts(train, even)))
        for row, strength in enumerate(STRENGTHS):
            scores = expected_scores((1.0 - strength) * tuned + strength * untuned, loss.values)
            rho = level_spearman(scores, test.human, weight=test.weight, group=test.group)
            by_fold[row, column] = np.nan if rho is None else rho
    return np.nan_to_num(means_over_folds(by_fold), nan=-1.0)
