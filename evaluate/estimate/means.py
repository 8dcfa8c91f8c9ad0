"""The mean human score of systems from few human labels and many scores of judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..agreement.fold_scores import FoldScores
from .alike_labels import AlikeLabels
from .arrays import check_options, check_size, clusters, domains, human_scores
from .cluster_sums import ClusterSums, Floats
from .clustered_mean import ClusteredMeans, clustered_means, interval, satterthwaite
from .iid_mean import iid_mean
from .mean_estimates import MeanEstimate, MeanEstimates
from .missing_scores import check_missing, judge_mean, missing_notes
from .proxies import Proxy, mixed, read_proxies
from .random_labels import check_random, unlike_notes
from .ranking import MeanDifference, OrderShare, differences, order_shares, rank_sets
from .rogan_gladen import RoganGladen, rogan_gladen
from .sampling_weights import sampling_weights, weight_notes

_MOST_COMPARED = 100


def estimate_means(
    human: ArrayLike,
    judges: Mapping[str, ArrayLike | FoldScores],
    *,
    system: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    probability: ArrayLike | None = None,
    stratum: ArrayLike | None = None,
    weighting: str = "hajek",
    at_least: float | None = None,
    weight: float | None = None,
    variance: str = "jackknife",
    quantile: str = "t",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 42,
) -> MeanEstimates:
    """Estimate mean human scores from labelled items and judges' scores of all items.

    The mean of the human scores of labelled items plus ``weight`` times what the judge scores all items above the
    labelled ones (prediction-powered inference, Angelopoulos et al. 2023): right however wrong the judge is, and as
    much narrower than labels alone as it is right. Formulas are in docs/metrics.md.

    Parameters
    ----------
    human : array-like of shape (n_items,)
        Human scores, NaN where there is none.
    judges : mapping of str to array-like of shape (n_items,) or FoldScores
        Scores of all items. Scores that were learnt from these labels must be out of fold: `FoldScores` holds what
        every fold's model makes of every item. Several judges are mixed into one, by folds of clusters too.
    system : array-like of shape (n_items,), optional
        Whose means are estimated, any labels; one mean of all items when None.
    cluster : array-like of shape (n_items,), optional
        Labels of items that are alike, such as the source text; each item by itself when None.
    probability : array-like of shape (n_items,), optional
        With which each labelled item was drawn, in (0, 1].
    stratum : array-like of shape (n_items,), optional
        Labels of the parts that items were drawn from at random, where not all have the same share.
    weighting : {"hajek", "horvitz-thompson"}
        Whether sums weighted by 1 / probability are divided by the sum of the weights or by the number of items.
    at_least : float, optional
        Estimate the share of items with this human score or a higher one, not the mean.
    weight : float, optional
        Of the judge; when None, the one that makes the estimates least uncertain, for all systems together.
    variance : {"jackknife", "iid"}
        Leave out clusters in turn, or take items as independent and the judge's mean from unlabelled items alone, as
        in the authors' code (one judge, no clusters, no probabilities; the weight is tuned for each system).
    quantile : {"t", "normal"}
        Of the intervals; t has Satterthwaite's degrees of freedom.
    level : float
    resamples : int
        Draws of clusters for the shares of orders.
    seed : int

    Returns
    -------
    MeanEstimates

    Raises
    ------
    LagerError
        For arrays that do not fit, no labels, and where labels are not a random part of the items (p < .001 in the
        test by clusters) and no probabilities or strata are given, or a judge has scored another share of the labelled
        items than of the others.

    References
    ----------
    Angelopoulos, Duchi & Zrnic (2023), PPI++: efficient prediction-powered inference, arXiv 2311.01453.
    """
    check_options(
        variance=variance, quantile=quantile, weighting=weighting, level=level, weight=weight, at_least=at_least
    )
    truth = human_scores(human)
    n = len(truth)
    labelled = np.isfinite(truth)
    values = truth if at_least is None else np.where(labelled, (truth >= at_least) * 1.0, np.nan)
    names, domain = domains(system, n)
    codes = clusters(cluster, n)
    check_size(len(names), int(codes.max()) + 1)
    alike = AlikeLabels.of(values, domain, codes, len(names))
    proxies = read_proxies(judges, n, domain)
    notes = missing_notes(proxies, names, domain)
    sampling = sampling_weights(labelled, probability, stratum, n)
    check_missing(proxies, labelled, domain=domain, cluster=codes, weight=sampling, seed=seed)
    first = next(iter(proxies.values()))
    proxy, mixture = mixed(list(proxies.values()), np.nan_to_num(values), sampling, codes, seed=seed)
    known = probability is not None or stratum is not None
    random_p = None
    if not labelled.all():
        random_p = check_random(
            proxy.scores, labelled, domain=domain, cluster=codes, weight=sampling if known else None, seed=seed
        )
        notes += unlike_notes(random_p) if known else []
    if probability is not None:
        notes += weight_notes(sampling, codes)
    pairs: tuple[MeanDifference, ...] = ()
    orders: tuple[OrderShare, ...] = ()
    tuned: float | None = None
    if variance == "iid":
        if known or cluster is not None or len(proxies) > 1:
            raise LagerError("variance 'iid' is for one judge and independent items drawn alike: use 'jackknife'")
        means = _iid_means(names, domain, values, first.scores, weight=weight, level=level)
        means = [alike.held(one, place, one.n_labelled, level) for place, one in enumerate(means)]
    else:
        scores = proxy.for_domains(domain, sampling)
        known_size = weighting == "horvitz-thompson"
        sums = ClusterSums.of(values, scores, sampling, domain=domain, cluster=codes, known_size=known_size)
        found = clustered_means(sums, weight)
        means = _clustered(names, sums, found, level=level, normal=quantile == "normal")
        means = [alike.held(one, place, satterthwaite(found.size[place]) + 1, level) for place, one in enumerate(means)]
        found = found._replace(error=np.where(alike.same, np.nan, found.error))  # compared with no other system
        if len(names) > _MOST_COMPARED:
            notes.append(f"{len(names)} systems are too many to compare in pairs: differences and ranks are left out")
        else:
            pairs = differences(names, found, level)
        orders = order_shares(names, sums, found, resamples=resamples, seed=seed)
        tuned = found.weight
    shares: tuple[RoganGladen, ...] = ()
    if at_least is not None and len(proxies) == 1:
        yes, there = (np.nan_to_num(values) > 0, first.scores >= at_least), first.scored
        shares = rogan_gladen(
            *yes, sampling * there, domain=np.where(there, domain, -1), cluster=codes, names=names, level=level
        )
    return MeanEstimates(
        means=tuple(
            replace(one, judge_means={name: judge_mean(of, domain == place) for name, of in proxies.items()})
            for place, one in enumerate(means)
        ),
        weight=tuned,
        mixture=dict(zip(proxies, mixture.tolist(), strict=True)) if len(proxies) > 1 else {},
        outside=_outside(proxies.values(), truth[labelled]),
        random_p=random_p,
        differences=pairs,
        ranks=rank_sets(names, pairs, level),
        orders=orders,
        rogan_gladen=shares,
        at_least=at_least,
        level=level,
        notes=tuple(notes),
    )


def _outside(proxies: Iterable[Proxy], labels: Floats) -> float:
    """Return the share of the judges' scores that lie outside the range of human scores."""
    low, high = labels.min(), labels.max()
    return float(np.mean([((one.scores < low) | (one.scores > high)).mean() for one in proxies]))


def _clustered(
    names: Sequence[str], sums: ClusterSums, found: ClusteredMeans, *, level: float, normal: bool
) -> list[MeanEstimate]:
    """Return each domain's estimate beside that of the labelled items alone."""
    alone = clustered_means(sums, 0.0)
    out = []
    for place, name in enumerate(names):
        counts = int(sums.n_all[place].sum()), int(sums.n_labelled[place].sum()), int(sums.n_labelled_clusters[place])
        if not counts[1]:
            out.append(MeanEstimate(name, *counts, reason="none of its items has a human score"))
            continue
        both = []
        for one in (found, alone):
            error, freedom = float(one.error[place]), np.inf if normal else float(one.freedom[place])
            ends = interval(float(one.mean[place]), error, freedom, level) if np.isfinite(error) else (None, None)
            both.append((float(one.mean[place]), *ends))
        whole = MeanEstimate(name, *counts, *both[0], *both[1])
        if np.isfinite(found.error[place]):
            out.append(replace(whole, error=float(found.error[place]), freedom=float(found.freedom[place])))
        else:
            out.append(replace(whole, reason="its labels are in one cluster"))
    return out


def _iid_means(
    names: Sequence[str], domain: NDArray[np.intp], human: Floats, judge: Floats, *, weight: float | None, level: float
) -> list[MeanEstimate]:
    """Return each domain's estimate for independent items, with a normal interval."""
    out = []
    for place, name in enumerate(names):
        rows = np.flatnonzero(domain == place)
        there = np.isfinite(human[rows])
        labelled, others = rows[there], rows[~there]
        counts = len(rows), len(labelled), len(labelled)
        if len(labelled) < 2 or not len(others):
            out.append(MeanEstimate(name, *counts, reason="it needs two labelled items and one without a label"))
            continue
        mean, error, reach, used = iid_mean(human[labelled], judge[labelled], judge[others], weight=weight, level=level)
        alone = iid_mean(human[labelled], judge[labelled], judge[others], weight=0.0, level=level)
        ends = (mean, mean - reach, mean + reach, alone[0], alone[0] - alone[2], alone[0] + alone[2])
        out.append(MeanEstimate(name, *counts, *ends, error=error, weight=used))
    return out
