"""`lager-early`: lager-tuned that stops reading after the first layers, so that the rest need not be computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.aggregator import Aggregator
from ..aggregator.strategy_names import lookup
from ..solvers.minimise import Constraint, minimise
from ..solvers.mixture_loss import MixtureLoss
from ..solvers.rank_correlation import spearman
from .folds import Split
from .labelled import inner_folds, padded, training_loss
from .lager_tuned import fit_converged


def fit_early(name: str, train: Readouts, *, seed: int) -> Aggregator:
    """Fit lager-tuned on entries 0 to m.

    For ``lager-early`` m is the smallest whose out-of-fold Spearman, the mean over folds, comes within one standard
    error of the best m's (Breiman et al. 1984, section 3.4.3).

    Parameters
    ----------
    name : str
        ``lager-early`` or ``lager-early:M``, with options.
    train : Readouts
        Labelled items.
    seed : int
        Of the folds.

    Raises
    ------
    LagerError
        When there is no entry m, or no m ranks left-out items.
    """
    strategy = lookup(name)
    constraint = strategy.options.constraint
    loss = training_loss(train, strategy.options)
    n_used = loss.logits.shape[0]
    training: dict[str, object] = {"n": len(train)}
    last = strategy.number
    if last is None:
        folds = inner_folds(train, strategy=name, seed=seed)
        by_fold = early_curve(loss, folds, constraint)
        last = first_good_entry(by_fold)
        training |= {"folds": len(folds), "spearman_by_entry": [_or_none(x) for x in _means(by_fold)]}
    if last >= n_used:
        raise LagerError(f"there is no {name}: the entries are 0 to {n_used - 1}; name one of them")
    fit = fit_converged(loss.first(last + 1), constraint)
    training |= {"loss": fit.loss, "loss_uniform": fit.loss_uniform, **fit.settings}
    n_layers = train.logits.shape[1] - 1
    weights = padded(fit.weights, n_layers + 1)
    return Aggregator(name, "converged", train.scale, n_layers, weights, {"last_entry": last}, training)


def early_curve(loss: MixtureLoss, folds: list[Split], constraint: Constraint) -> NDArray[np.float64]:
    """Return Spearman on each left-out fold of lager-tuned on entries 0 to m, NaN where undefined.

    Returns
    -------
    ndarray of shape (n_entries, n_folds)
    """
    n_entries = loss.logits.shape[0]
    out = np.full((n_entries, len(folds)), np.nan)
    for column, fold in enumerate(folds):
        train, test = loss.take(fold.train), loss.take(fold.test)
        for entry in range(n_entries):
            weights = minimise(train.first(entry + 1), constraint).weights
            rho = spearman(test.first(entry + 1).expected(weights), test.human)
            out[entry, column] = np.nan if rho is None else rho
    return out


def first_good_entry(by_fold: NDArray[np.float64]) -> int:
    """Return the first entry within one standard error of the best mean.

    Raises
    ------
    LagerError
        When every mean is undefined.
    """
    means = _means(by_fold)
    if np.isnan(means).all():
        raise LagerError("lager-early: no number of layers ranks the left-out items; train on more items, or lager")
    best = int(np.nanargmax(means))
    values = by_fold[best][~np.isnan(by_fold[best])]
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return int(np.argmax(np.nan_to_num(means, nan=-2.0) >= means[best] - error))


def _means(by_fold: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the folds in which an entry's figure is defined."""
    defined = ~np.isnan(by_fold)
    counts = defined.sum(axis=1)
    totals = np.where(defined, by_fold, 0.0).sum(axis=1)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
