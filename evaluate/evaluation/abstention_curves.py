"""Abstention in the outputs of an evaluation: every strategy that has a distribution, bounded in work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from .abstention import AbstentionPoint, abstention_curves
from .doubt import doubts_of
from .evaluation import in_focus

if TYPE_CHECKING:
    from .evaluation import Evaluation

MOST_ITEMS = 20_000  # of more, a random sample is taken
_INTERVAL_ITEMS = 5_000  # up to here with intervals
_RESAMPLES = 200
COLUMNS = (
    "strategy", "doubt", "level", "share", "n", "most_doubt", "metric", "estimate", "low", "high", "random", "oracle",
    "groups", "undefined_groups", "reason",
)  # fmt: skip
NO_DISTRIBUTION = "its score is not read from a distribution over the labels"


class Abstention(NamedTuple):
    """Curves of an evaluation's strategies.

    Attributes
    ----------
    level : {"pooled", "group"}
        At group, the share is kept within each group.
    n, n_of : int
        Items in the curves, and those they were drawn from.
    curves : mapping of str to mapping of str to tuple of AbstentionPoint
        By strategy and doubt.
    without : mapping of str to str
        Strategies and judges without curves, and why.
    """

    level: str
    n: int
    n_of: int
    curves: Mapping[str, Mapping[str, tuple[AbstentionPoint, ...]]]
    without: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return what results.json says of them; the figures are in a file of their own."""
        return {
            "level": self.level,
            "items": self.n,
            "items_of": self.n_of,
            "strategies": list(self.curves),
            "without": [{"strategy": name, "reason": reason} for name, reason in self.without.items()],
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row per strategy, doubt, share and metric, nothing rounded."""
        for strategy, by_doubt in self.curves.items():
            for doubt, points in by_doubt.items():
                for point in points:
                    about = {"strategy": strategy, "doubt": doubt, "level": self.level, "share": point.share,
                             "n": point.n, "most_doubt": point.most_doubt}  # fmt: skip
                    for metric, value in point.metrics.items():
                        yield about | {
                            "metric": metric,
                            "estimate": value.estimate,
                            "low": value.low,
                            "high": value.high,
                            "random": point.random[metric],
                            "oracle": point.oracle if metric == "mae" else None,
                            "groups": value.groups,
                            "undefined_groups": value.undefined_groups,
                            "reason": value.reason,
                        }


def abstention(evaluation: Evaluation) -> Abstention | None:
    """Return the curves of an evaluation, None without a cache.

    Items are compared inside groups unless the evaluation is pooled; systems, whose scores are means over items, are
    not what a judge abstains from. More than `MOST_ITEMS` items are sampled; up to 5,000, the strategies of the
    figure have intervals of up to 200 resamples.
    """
    cache = evaluation.cache
    if cache is None:
        return None
    human, seed = evaluation.human, evaluation.agreement.seed
    everything = np.flatnonzero(cache.valid & np.isfinite(human))
    rows = _sample(everything, seed)
    doubts = doubts_of(evaluation, rows)
    group = None if evaluation.agreement.level == "pooled" else evaluation.group
    cluster = cache.column("cluster")
    resamples = min(evaluation.agreement.resamples, _RESAMPLES) if len(rows) <= _INTERVAL_ITEMS else 0
    drawn = in_focus([one.name for one in evaluation.scored if one.name in doubts])
    curves, without = {}, {}
    for one in evaluation.scored:
        if one.name not in doubts:
            without[one.name] = NO_DISTRIBUTION
            continue
        try:
            curves[one.name] = abstention_curves(
                human[rows],
                one.scores[rows],
                doubts[one.name],
                group=None if group is None else group[rows],
                cluster=None if cluster is None else cluster[rows],
                resamples=resamples if one.name in drawn else 0,
                seed=seed,
            )
        except LagerError as error:  # a sample may leave one item in each of very many groups
            without[one.name] = str(error)
    return Abstention("pooled" if group is None else "group", len(rows), len(everything), curves, without)


def _sample(rows: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    if len(rows) <= MOST_ITEMS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST_ITEMS, replace=False))
