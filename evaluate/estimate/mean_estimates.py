"""What an estimation of means finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .ranking import MeanDifference, OrderShare, RankSet
from .rogan_gladen import RoganGladen


@dataclass(frozen=True)
class MeanEstimate:
    """The mean human score of one system or group.

    Parameters
    ----------
    name : str
    n_items, n_labelled, n_clusters : int
        Items; those with a human score; the clusters that these are in.
    mean, low, high : float or None
        The estimate with its interval; None where `reason` says why.
    labelled_mean, labelled_low, labelled_high : float or None
        From the labelled items alone, in the same way.
    error, freedom : float or None
        Of the estimate: standard error, degrees of freedom.
    weight : float or None
        Of the judge, where it is each domain's own (variance ``iid``).
    judge_means : mapping of str to float or None
        Of each judge's scores as they are, None where it has none: what is reported where nobody corrects it.
    reason : str or None
    """

    name: str
    n_items: int
    n_labelled: int
    n_clusters: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    labelled_mean: float | None = None
    labelled_low: float | None = None
    labelled_high: float | None = None
    error: float | None = None
    freedom: float | None = None
    weight: float | None = None
    judge_means: Mapping[str, float | None] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True)
class MeanEstimates:
    """Means of systems or groups, and what is said about them.

    Parameters
    ----------
    means : tuple of MeanEstimate
    weight : float or None
        Of the judge's scores in all estimates, 0 for labels alone; None where each has its own.
    mixture : dict of str to float
        How much each judge counts, in points of the human scale per standard deviation; empty with one judge.
    outside : float
        Share of the judges' scores outside the range of human scores.
    random_p : float or None
        Of labels drawn at random, by their chances where these are known, see `random_labels_p`; None where nothing is
        left unlabelled.
    differences : tuple of MeanDifference
    ranks : tuple of RankSet
    orders : tuple of OrderShare
        The most frequent ones.
    rogan_gladen : tuple of RoganGladen
        For shares with one judge.
    at_least : float or None
        The score from which an item counts, where shares are estimated.
    level : float
    notes : tuple of str
    """

    means: tuple[MeanEstimate, ...]
    weight: float | None
    mixture: dict[str, float]
    outside: float
    random_p: float | None
    differences: tuple[MeanDifference, ...]
    ranks: tuple[RankSet, ...]
    orders: tuple[OrderShare, ...]
    rogan_gladen: tuple[RoganGladen, ...]
    at_least: float | None
    level: float
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)

    def width(self) -> float | None:
        """Return the mean width of the intervals over that of labels alone, None where there are none."""
        pairs = [
            (one.high - one.low, one.labelled_high - one.labelled_low)
            for one in self.means
            if one.high is not None and one.low is not None
            if one.labelled_high is not None and one.labelled_low is not None
        ]
        alone = sum(labelled for _, labelled in pairs)
        return sum(width for width, _ in pairs) / alone if alone else None
