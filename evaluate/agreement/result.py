"""What an evaluation returns: frozen results that turn into JSON without NaN."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .difference import Comparison
from .intervals import DEFAULT_INTERVAL


@dataclass(frozen=True)
class Share:
    """A judge beside humans, in one metric.

    Parameters
    ----------
    against_others : float or None
        The judge's figure against the targets that a rater is held to: the means of the other raters.
    of_human : float or None
        That over the raters' own figure on the same items.
    of_ceiling : float or None
        The judge's figure of the table over the ceiling.
    reason : str or None
        Why a share is None.
    """

    against_others: float | None
    of_human: float | None
    of_ceiling: float | None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        out = {name: getattr(self, name) for name in ("against_others", "of_human", "of_ceiling")}
        return out if self.reason is None else out | {"reason": self.reason}


@dataclass(frozen=True)
class HumanReference:
    """Agreement among the annotators at a level.

    Parameters
    ----------
    n : int
        Items that two or more annotators scored.
    raters : int
        The most annotators of an item.
    human : mapping of str to Estimate
        Each metric of one rater against the mean of the others, averaged over the raters.
    ceiling : Estimate
        Square root of the reliability of the annotators' mean: the largest correlation with it that scores without
        error could have.
    alpha : Estimate
        Krippendorff's alpha of the annotators, interval.
    shares : mapping of str to mapping of str to Share
        By strategy and metric.
    reason : str or None
        Why there is none of this.
    fixed_raters : bool
        Whether the ceiling is that of raters who scored every item, so that their levels are no error.
    """

    n: int
    raters: int
    human: Mapping[str, Estimate]
    ceiling: Estimate
    alpha: Estimate
    shares: Mapping[str, Mapping[str, Share]]
    reason: str | None = None
    fixed_raters: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        out: dict[str, Any] = {
            "n": self.n,
            "raters": self.raters,
            "human": {name: value.as_json() for name, value in self.human.items()} or None,
            "ceiling": self.ceiling.as_json(),
            "fixed_raters": self.fixed_raters,
            "krippendorff_alpha": self.alpha.as_json(),
            "shares": {
                name: {metric: share.as_json() for metric, share in of_metric.items()}
                for name, of_metric in self.shares.items()
            },
        }
        return out if self.reason is None else out | {"reason": self.reason}


@dataclass(frozen=True)
class Estimate:
    """One figure and its 95 % interval.

    Parameters
    ----------
    estimate : float or None
        At a level with groups, the mean over the groups in which it is defined. None where undefined.
    low, high : float or None
        Interval, None where there is none.
    reason : str or None
        Why the estimate, or else its interval, is None.
    undefined_resamples : int
        Resamples, or parts left out, that do not count for the interval because the figure was undefined there.
    groups, undefined_groups : int or None
        Groups averaged, and groups left out because the figure is undefined there; None where nothing is averaged.
    spread : float or None
        Standard deviation over the averaged groups (n - 1), None for fewer than two.
    """

    estimate: float | None
    low: float | None
    high: float | None
    reason: str | None = None
    undefined_resamples: int = 0
    groups: int | None = None
    undefined_groups: int | None = None
    spread: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object; reason and counts only where they say something."""
        out: dict[str, Any] = {"estimate": self.estimate, "low": self.low, "high": self.high}
        if self.reason is not None:
            out["reason"] = self.reason
        if self.undefined_resamples:
            out["undefined_resamples"] = self.undefined_resamples
        if self.groups is not None:
            out |= {"spread": self.spread, "groups": self.groups, "undefined_groups": self.undefined_groups}
        return out


@dataclass(frozen=True)
class GroupAgreement:
    """Agreement inside one group: `n` items (or systems) and each metric's estimate."""

    group: str
    n: int
    metrics: Mapping[str, Estimate]

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"group": self.group, "n": self.n, **{name: value.as_json() for name, value in self.metrics.items()}}


@dataclass(frozen=True)
class StrategyAgreement:
    """One strategy's agreement with humans.

    Parameters
    ----------
    strategy : str
        Its name.
    n : int
        Items that have both a human score and this strategy's.
    coverage : float
        `n` over the items that have a human score.
    metrics : mapping
        Each metric's estimate at the level.
    pooled : mapping
        Each metric's estimate over all items at once; the same as `metrics` where the level is pooled.
    groups : tuple of GroupAgreement
        Each group, where the level has any.
    """

    strategy: str
    n: int
    coverage: float
    metrics: Mapping[str, Estimate]
    pooled: Mapping[str, Estimate]
    groups: tuple[GroupAgreement, ...]

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "strategy": self.strategy,
            **{name: value.as_json() for name, value in self.metrics.items()},
            "n": self.n,
            "coverage": self.coverage,
            "pooled": {name: value.as_json() for name, value in self.pooled.items()},
            "groups": [group.as_json() for group in self.groups],
        }


@dataclass(frozen=True)
class Agreement:
    """Several strategies' agreement with the same humans, on the same draws.

    Parameters
    ----------
    level : str
        pooled, group or system.
    n : int
        Items with a human score and a score of at least one strategy.
    coverage : float
        `n` over the items that have a human score.
    n_labelled : int
        Items that have a human score.
    n_groups : int or None
        Groups among the labelled items, None where none are declared.
    n_clusters : int or None
        Clusters among them, or what else is drawn whole; None where items are drawn one by one.
    resamples, seed : int
        The bootstrap; at most so many parts are left out by the jackknife.
    strategies : tuple of StrategyAgreement
        In the order given.
    interval : str
        jackknife, percentile or bca.
    systems : str
        these or alike: what intervals at the system level speak of.
    comparison : Comparison or None
        Every strategy against a baseline, where one was named.
    human_reference : HumanReference or None
        Agreement among the annotators, where their scores were given.
    """

    level: str
    n: int
    coverage: float
    n_labelled: int
    n_groups: int | None
    n_clusters: int | None
    resamples: int
    seed: int
    strategies: tuple[StrategyAgreement, ...]
    interval: str = DEFAULT_INTERVAL
    systems: str = "these"
    comparison: Comparison | None = None
    human_reference: HumanReference | None = None

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object, strategies under ``results``."""
        return {
            "n": self.n,
            "coverage": self.coverage,
            "level": self.level,
            "labelled": self.n_labelled,
            "groups": self.n_groups,
            "clusters": self.n_clusters,
            "resamples": self.resamples,
            "seed": self.seed,
            "interval": self.interval,
            **({"systems": self.systems} if self.level == "system" else {}),
            "results": [strategy.as_json() for strategy in self.strategies],
            "comparison": None if self.comparison is None else self.comparison.as_json(),
            "human_reference": None if self.human_reference is None else self.human_reference.as_json(),
        }

    def comparable(self, metric: str, among: Collection[str]) -> dict[str, float]:
        """Return the figures that may be compared: means over all groups in which any strategy of `among` has one.

        A mean over some of the groups is high or low for what these are.
        """
        figures = {
            one.strategy: value
            for one in self.strategies
            if one.strategy in among and (value := one.metrics[metric].estimate) is not None
        }
        defined = {
            name: {group.group for group in self[name].groups if group.metrics[metric].estimate is not None}
            for name in figures
        }
        everywhere = set().union(*defined.values())
        return {name: value for name, value in figures.items() if defined[name] == everywhere}

    def __getitem__(self, strategy: str) -> StrategyAgreement:
        """Return one strategy's agreement by its name."""
        for result in self.strategies:
            if result.strategy == strategy:
                return result
        raise KeyError(strategy)
