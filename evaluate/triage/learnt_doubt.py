"""Doubt that is learnt: the chance of a large error from several signals, kept only where it helps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from ...train.solvers.folds import cluster_folds

_FOLDS = 5
_PENALTY = 1.0  # on squared slopes of standardised signals, beside the sum of the losses


@dataclass(frozen=True)
class LearntDoubt:
    """What was learnt, and whether it helped on clusters that it was not fitted on.

    Parameters
    ----------
    coefficients : tuple of float
        Intercept and slopes of the logit, on the signals as they are.
    share, plain_share : float
        Items that may be decided alone at the allowed risk, by doubts out of fold and by the plain doubt.
    n, n_clusters : int
        What it was fitted on.
    """

    coefficients: tuple[float, ...]
    share: float
    plain_share: float
    n: int
    n_clusters: int

    @property
    def helps(self) -> bool:
        """Whether more items are kept at equal risk than by the plain doubt."""
        return self.share > self.plain_share


def learn_doubt(
    error: NDArray[np.float64],
    signals: NDArray[np.float64],
    cluster: NDArray[np.intp],
    *,
    plain: NDArray[np.float64],
    risk: float,
    seed: int,
) -> LearntDoubt:
    """Fit the chance of a large error by logistic regression, and compare it out of fold with the plain doubt.

    Parameters
    ----------
    error : ndarray of shape (n_items,)
        0 or 1. None of these items may calibrate a threshold on the doubt.
    signals : ndarray of shape (n_items, n_signals)
    cluster : ndarray of shape (n_items,)
        Folds keep clusters whole.
    plain : ndarray of shape (n_items,)
        The doubt to compare with.
    risk : float
        At which both are compared.
    """
    out_of_fold = np.empty(len(error))
    n_clusters = len(np.unique(cluster))
    for fold in cluster_folds(cluster.tolist(), len(error), min(_FOLDS, n_clusters), seed):
        fitted = _fit(signals[fold.train], error[fold.train])
        out_of_fold[fold.test] = fitted[0] + signals[fold.test] @ fitted[1:]
    return LearntDoubt(
        tuple(_fit(signals, error).tolist()),
        kept_at_risk(out_of_fold, error, risk),
        kept_at_risk(plain, error, risk),
        len(error),
        n_clusters,
    )


def kept_at_risk(doubt: NDArray[np.float64], error: NDArray[np.float64], risk: float) -> float:
    """Return the largest share of items, those of least doubt, whose share of errors is at most `risk`."""
    order = np.argsort(doubt, kind="stable")
    ends = np.append(np.diff(doubt[order]) > 0, True)  # items of equal doubt are kept together or not at all
    seen = np.cumsum(error[order]) / np.arange(1, len(error) + 1)
    fit = np.flatnonzero(ends & (seen <= risk))
    return float((fit[-1] + 1) / len(error)) if len(fit) else 0.0


def _fit(signals: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intercept and slopes of least penalised logistic loss, shape (n_signals + 1,)."""
    centre, spread = signals.mean(axis=0), signals.std(axis=0)
    spread = np.where(spread > 1e-12 * np.maximum(1.0, np.abs(centre)), spread, np.inf)  # a constant tells nothing
    columns = np.column_stack([np.ones(len(error)), (signals - centre) / spread])

    def loss(slopes: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = columns @ slopes
        shrunk = np.append(0.0, slopes[1:])
        value = float(np.sum(np.logaddexp(0.0, logit) - error * logit) + _PENALTY / 2 * shrunk @ shrunk)
        return value, columns.T @ (expit(logit) - error) + _PENALTY * shrunk

    found = minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    slopes = found[1:] / spread
    return np.append(found[0] - centre @ slopes, slopes)
