"""The published prediction-powered mean of independent items, with a normal interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]


def iid_mean(
    human: Floats, judge: Floats, judge_unlabelled: Floats, *, weight: float | None, level: float
) -> tuple[float, float, float, float]:
    """Return mean, standard error, half-width and weight of the judge, as PPI++ and its authors' code have them.

    Parameters
    ----------
    human, judge : ndarray of shape (n_labelled,)
    judge_unlabelled : ndarray of shape (n_unlabelled,)
    weight : float or None
        Of the judge; None for ``cov(y, f) / ((1 + n / N) var(f))``, between 0 and 1.
    level : float
    """
    n, n_others = len(human), len(judge_unlabelled)
    if weight is None:
        covariance = np.mean((human - human.mean()) * (judge - judge.mean()))
        spread = np.concatenate([judge, judge_unlabelled]).var(ddof=1)
        weight = float(np.clip(covariance / ((1 + n / n_others) * spread), 0.0, 1.0)) if spread > 0 else 0.0
    mean = weight * judge_unlabelled.mean() + np.mean(human - weight * judge)
    error = np.sqrt((weight * judge_unlabelled).var() / n_others + (human - weight * judge).var() / n)
    return float(mean), float(error), float(ndtri((1 + level) / 2) * error), weight
