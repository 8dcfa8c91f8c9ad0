"""`lager-shrunk`: fitted layer weights pulled towards even ones, as far as left-out clusters ask for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.aggregator import Aggregator
from ..aggregator.strategy_names import lookup
from ..solvers.minimise import Constraint, minimise
from ..solvers.mixture_loss import MixtureLoss, expected_scores
from ..solvers.rank_correlation import spearman
from .folds import Split
from .labelled import inner_folds, padded, training_loss

#: Share of the even weights: 0 is lager-tuned, 1 is lager.
STRENGTHS = np.linspace(0.0, 1.0, 11)


def fit_shrunk(name: str, train: Readouts, *, seed: int) -> Aggregator:
    """Fit ``w = (1 - c) w_tuned + c / (L + 1)``.

    The strength c is the one of `STRENGTHS` whose scores of left-out clusters rank best, over all folds at once; of
    equally good ones the largest.

    Parameters
    ----------
    name : str
        ``lager-shrunk``, with options.
    train : Readouts
        Labelled items.
    seed : int
        Of the folds.
    """
    options = lookup(name).options
    loss = training_loss(train, options)
    folds = inner_folds(train, strategy=name, seed=seed)
    rhos = strength_curve(loss, folds, options.constraint)
    best = len(rhos) - 1 - int(np.argmax(rhos[::-1]))
    strength = float(STRENGTHS[best])
    n_used = loss.logits.shape[0]
    weights = (1.0 - strength) * minimise(loss, options.constraint).weights + strength / n_used
    training = {
        "n": len(train),
        "loss": loss(weights)[0],
        "loss_uniform": loss(np.full(n_used, 1.0 / n_used))[0],
        "folds": len(folds),
        "spearman_by_strength": rhos.tolist(),
    }
    n_layers = train.logits.shape[1] - 1
    parameters = {"strength": strength}
    return Aggregator(name, "converged", train.scale, n_layers, padded(weights, n_layers + 1), parameters, training)


def strength_curve(loss: MixtureLoss, folds: list[Split], constraint: Constraint) -> NDArray[np.float64]:
    """Return Spearman of the out-of-fold scores at each of `STRENGTHS`; -1 where it is undefined."""
    n_entries, _, n_items = loss.logits.shape
    scores = np.empty((len(STRENGTHS), n_items))
    even = loss.mixed(np.full(n_entries, 1.0 / n_entries))
    for fold in folds:
        # Mixed logits are linear in the weights: two mixtures give those of every strength.
        tuned = loss.take(fold.test).mixed(minimise(loss.take(fold.train), constraint).weights)
        for row, strength in zip(scores, STRENGTHS, strict=True):
            row[fold.test] = expected_scores((1.0 - strength) * tuned + strength * even[:, fold.test], loss.values)
    rhos = (spearman(row, loss.human) for row in scores)
    return np.array([-1.0 if rho is None else rho for rho in rhos])
