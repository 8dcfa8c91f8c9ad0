"""How far a judge's preferences agree with people's, and with themselves when the order is turned."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..agreement.bootstrap import ClusterBootstrap
from ..agreement.estimates import mean_of_defined
from ..agreement.intervals import NO_RESAMPLES, Interval
from ..agreement.jackknife import SPACES, effective_number, jackknife_interval
from .preferences import Preferences
from .read_pairs import Pairs

#: What each figure is, a line for the documentation and the JSON.
FIGURES = {
    "accuracy": "share of pairs in which the judge prefers what people do; its ties count half, theirs do not count",
    "ties": "share of pairs in which the judge prefers neither",
    "brier": "mean squared difference between the probability and what people prefer",
    "consistency": "share of pairs in which the judge picks the same response in both orders",
    "accuracy_both": "share of pairs in which the judge picks what people prefer in both orders",
    "position_bias": "mean probability of the response shown first, less one half",
}


class PairEstimate(NamedTuple):
    """One figure with its 95 % interval, None where undefined.

    Attributes
    ----------
    value : float or None
        Mean over groups of the figure in each, or of all pairs where there are no groups.
    low, high : float or None
        Jackknife-t over clusters, as of `evaluate_scores`.
    pooled : float or None
        Over all pairs, whatever their group.
    n : int
        Pairs that it is of.
    reason : str or None
        Why there is no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    pooled: float | None
    n: int
    reason: str | None


def pair_agreement(
    pairs: Pairs, found: Preferences, *, resamples: int = 1000, seed: int = 42
) -> dict[str, PairEstimate]:
    """Return the figures of `FIGURES` that the pairs allow."""
    group = np.zeros(len(pairs), np.intp) if pairs.group is None else _codes(pairs.group)
    cluster = _codes(pairs.cluster)
    bootstrap = ClusterBootstrap(int(cluster.max()) + 1, resamples, seed)
    return {
        name: _figure(name, values, group, cluster, bootstrap)
        for name, values in per_pair(pairs.preferred, found).items()
        if not np.isnan(values).all()
    }


def per_pair(preferred: NDArray[np.float64], found: Preferences) -> dict[str, NDArray[np.float64]]:
    """Return what each figure is the mean of, ndarrays of shape (n_pairs,), NaN in pairs that do not count."""
    decided = np.where(preferred == 0.5, np.nan, preferred)
    out = {
        "accuracy": 1 - np.abs(found.pick - decided),
        "ties": np.where(np.isnan(found.pick), np.nan, found.pick == 0.5),
        "brier": (found.probability - preferred) ** 2,
    }
    if found.picks_by_order is not None and found.first is not None:
        one, other = found.picks_by_order.T
        missing = np.isnan(one) | np.isnan(other)
        right = (one == decided) & (other == decided)
        out |= {
            "consistency": np.where(missing, np.nan, one == other),
            "accuracy_both": np.where(missing | np.isnan(decided), np.nan, right),
            "position_bias": found.first - 0.5,
        }
    return out


SINGLE_PAIRS = "every group is a single pair"
#: On what the intervals are taken; the others are shares.
_SPACES = {"brier": "error", "position_bias": "difference"}


def _figure(
    name: str,
    values: NDArray[np.float64],
    group: NDArray[np.intp],
    cluster: NDArray[np.intp],
    bootstrap: ClusterBootstrap,
) -> PairEstimate:
    """Return the mean over groups with its interval, of the pairs that count."""
    there = np.flatnonzero(~np.isnan(values))
    values, group, cluster = values[there], _codes(group[there]), cluster[there]
    means = _group_means(values, group, np.ones((len(values), 1)))
    found = Interval(None, None, 0, NO_RESAMPLES)
    if bootstrap.resamples and 1 < len(values) == len(means):
        found = Interval(None, None, 0, SINGLE_PAIRS)
    elif bootstrap.resamples:
        parts = bootstrap.parts(cluster)
        without = np.concatenate([_group_means(values, group, weight) for weight in parts.left_out()], axis=1)
        # A group that has no pair left changes as the others do.
        change = mean_of_defined((without - means)[None, None])[0, 0]
        space, effective = SPACES[_SPACES.get(name, "share")], effective_number(parts.sizes.astype(np.float64))
        found = jackknife_interval(float(means.mean()), means.mean() + change, effective, space)
    return PairEstimate(float(means.mean()), found.low, found.high, float(values.mean()), len(values), found.reason)


def _group_means(
    values: NDArray[np.float64], group: NDArray[np.intp], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted mean of each group, shape (n_groups, n_columns), NaN where nothing has a weight."""
    member = (np.arange(group.max() + 1)[:, None] == group).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray((member @ (values[:, None] * weight)) / (member @ weight))


def _codes(labels: NDArray[np.generic]) -> NDArray[np.intp]:
    return np.unique(labels.astype(str), return_inverse=True)[1].astype(np.intp)
