"""`isotonic`: another strategy's score brought to the humans' by a monotone curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.aggregator import Aggregator
from ..aggregator.strategy_names import lookup
from ..solvers.training_data import check_training_data
from .labelled import inner_folds, item_weights

Fit = Callable[[Readouts], Aggregator]


def fit_isotonic(name: str, train: Readouts, fit_base: Fit, *, seed: int) -> Aggregator:
    """Fit the non-decreasing curve of least squared error from a strategy's score to the human score.

    The curve is fitted to scores of items that the strategy had not seen (out of fold, clusters whole), where the
    strategy needs fitting: scores of its own training items would make it look surer than it is. Between the steps'
    ends it is linear, beyond them constant (pool adjacent violators; Zadrozny & Elkan 2002).

    Parameters
    ----------
    name : str
        ``isotonic`` or ``isotonic:NAME``.
    train : Readouts
        Labelled items.
    fit_base : callable
        Fits the strategy that is recalibrated.
    seed : int
        Of the folds.

    Raises
    ------
    LagerError
        When the strategy's score is constant, so that there is nothing to bend.
    """
    base = lookup(name).base or ""
    check_training_data(train.logits, train.human, train.scale)
    fitted = fit_base(train)
    scores = fitted.predict(train)
    training: dict[str, object] = {"n": len(train)}
    if lookup(base).needs_fitting:
        folds = inner_folds(train, strategy=name, seed=seed)
        training["folds"] = len(folds)
        for fold in folds:
            scores[fold.test] = fit_base(train.take(fold.train)).predict(train.take(fold.test))
    if (scores == scores[0]).all():
        raise LagerError(f"{name}: {base} gives all {len(train)} items {scores[0]:g}, so no curve can be fitted")
    curve = monotone_curve(scores, train.human, item_weights(train))
    parameters = {
        "base": replace(fitted, training={}).as_json(),
        "from": curve[0].tolist(),
        "to": curve[1].tolist(),
    }
    n_layers = train.logits.shape[1] - 1
    return Aggregator(name, fitted.preset, train.scale, n_layers, None, parameters, training)


def monotone_curve(
    scores: NDArray[np.float64], human: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of the non-decreasing curve of least weighted squared error.

    Returns
    -------
    ndarray of shape (n_corners,)
        Scores, ascending.
    ndarray of shape (n_corners,)
        Their values on the curve.
    """
    from scipy.optimize import isotonic_regression

    distinct, place = np.unique(scores, return_inverse=True)
    mass = np.bincount(place, weights=weight)
    mean = np.bincount(place, weights=weight * human) / mass
    curve = isotonic_regression(mean, weights=mass).x
    # The inner points of a flat stretch add nothing.
    corner = np.ones(len(curve), dtype=np.bool_)
    corner[1:-1] = (curve[1:-1] != curve[:-2]) | (curve[1:-1] != curve[2:])
    return distinct[corner], curve[corner]
