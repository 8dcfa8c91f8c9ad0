"""Prediction-powered means of domains with a jackknife over clusters: estimates, errors, degrees of freedom."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from .cluster_sums import ClusterSums, Floats
from .tuning import tuned_weight


class ClusteredMeans(NamedTuple):
    """Estimates of domains, each an ndarray of shape (n_domains,) unless another is named.

    Parameters
    ----------
    mean, error, freedom : ndarray
        NaN where a domain has no label; error and freedom also where its labels are in one cluster.
    weight : float
        Of the judge's scores.
    without : ndarray of shape (n_domains, n_clusters)
        The estimates with each cluster left out, and the weight of the judge found anew.
    share : ndarray of shape (n_domains, n_clusters)
        What the squared change counts for in the variance.
    size : ndarray of shape (n_domains, n_clusters)
        Each cluster's part of the labelled weight, for the degrees of freedom.
    """

    mean: Floats
    error: Floats
    freedom: Floats
    weight: float
    without: Floats
    share: Floats
    size: Floats


def clustered_means(sums: ClusterSums, weight: float | None = None) -> ClusteredMeans:
    """Return each domain's estimate with the weight of the judge given, or tuned for all domains together.

    The jackknife counts a cluster with labels (G - 1) / G with G clusters with labels, and one without likewise among
    all: few labelled ones beside many others would count for too much, or for too little, with one G for both.
    """
    given = weight is not None
    whole, left_out, kept = (weight, np.array(weight), 0.0) if weight is not None else tuned_weight(sums)
    human, judge, judge_all = sums.means()
    mean = human + whole * (judge_all - judge)
    human_, judge_, judge_all_ = sums.means_without()
    without = human_ + left_out * (judge_all_ - judge_)
    n_few, n_many = sums.n_labelled_clusters[:, None], sums.n_clusters[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(sums.n_labelled > 0, (n_few - 1) / n_few, (n_many - 1) / n_many)
        held = np.where(sums.n_labelled > 0, sums.weight, 0.0)
        size = held / held.sum(axis=1, keepdims=True)
        if given and whole == 0.0:  # nothing hangs on clusters without a label
            share = np.where(sums.n_labelled > 0, share, 0.0)
        variance = np.nansum(share * (without - mean[:, None]) ** 2, axis=1)
    usable = sums.n_labelled_clusters > 1
    freedom = _combined_freedom(sums, whole, size)
    if kept > 0.0:  # the weight is one number found in all domains together, as far as it is not shrunk away
        freedom = np.maximum(freedom - kept / np.count_nonzero(usable), 1.0)
    return ClusteredMeans(
        mean,
        np.where(usable, np.sqrt(variance), np.nan),
        np.where(usable, freedom, np.nan),
        whole,
        without,
        share,
        size,
    )


def difference(means: ClusteredMeans, one: int, other: int) -> tuple[float, float, float]:
    """Return the difference of two domains' means, its error paired by cluster, and degrees of freedom."""
    gap = float(means.mean[one] - means.mean[other])
    change = means.without[one] - means.without[other] - gap
    share = np.maximum(means.share[one], means.share[other])
    return gap, float(np.sqrt(np.nansum(share * change**2))), satterthwaite(means.size[one] + means.size[other])


def satterthwaite(size: Floats) -> float:
    """Return the degrees of freedom of the spread between clusters of given sizes, if items were independent.

    As `decisions.cluster_t`, for sizes that need not be counts; NaN with fewer than two clusters.
    """
    m = size[size > 0]
    if len(m) < 2:
        return float("nan")
    total = m.sum()
    w = m**2 / (total - m)
    return float(total**2 / ((m**2).sum() + w.sum() ** 2 - (w**2).sum()))


def interval(mean: float, error: float, freedom: float, level: float) -> tuple[float, float]:
    """Return both ends of the t interval, of the normal one where the degrees of freedom are infinite."""
    quantile = ndtri((1 + level) / 2) if np.isinf(freedom) else stdtrit(freedom, (1 + level) / 2)
    reach = float(quantile) * error
    return mean - reach, mean + reach


def p_value(gap: float, error: float, freedom: float) -> float:
    """Return the two-sided p of a difference of 0."""
    if error == 0.0:
        return 1.0 if gap == 0.0 else 0.0
    return float(2 * stdtr(freedom, -abs(gap) / error))


def _combined_freedom(sums: ClusterSums, weight: float, size: Floats) -> Floats:
    """Return Welch's degrees of freedom of the labelled part and of the judge's mean of all items."""
    human, judge, judge_all = sums.means()
    with np.errstate(divide="ignore", invalid="ignore"):
        total, n = sums.weight.sum(axis=1, keepdims=True), sums.n_all.sum(axis=1, keepdims=True)
        residual = (sums.human - weight * sums.judge - (human - weight * judge)[:, None] * sums.weight) / total
        few = (residual**2).sum(axis=1)
        many = weight**2 * (((sums.judge_all - judge_all[:, None] * sums.n_all) / n) ** 2).sum(axis=1)
        of_few = np.array([satterthwaite(m) for m in size])
        of_many = np.array([satterthwaite(m) for m in sums.n_all])
        spread = few**2 / of_few + many**2 / of_many
        return np.asarray(np.where(spread > 0, (few + many) ** 2 / spread, of_few))
