"""A judge's scores beside the human scores of the same items."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from .cluster_pairs import ClusterBalance, ClusterPairs
from .context import NOTHING, Context
from .pair_splits import PairSplit, class_balance, few_classes, split_pairs
from .ranking import Ranking, WeightedRanking
from .segments import Segments, weighted_sums


@dataclass(frozen=True)
class Pairing:
    """Two rankings of the same rows in the same segments; sorted once, weighted many times.

    Parameters
    ----------
    score, human : Ranking
    context : Context
    cluster_pairs : ClusterPairs, optional
        The pairs within clusters, where judges share them.
    """

    score: Ranking
    human: Ranking
    context: Context = NOTHING
    cluster_pairs: ClusterPairs | None = None

    @cached_property
    def within_clusters(self) -> ClusterBalance | None:
        """Pairs of items of one cluster, None where no clusters are declared."""
        if self.context.cluster is None:
            return None
        return (self.cluster_pairs or ClusterPairs(self.context.cluster, self.human)).balance(self.score)

    @cached_property
    def splits(self) -> list[PairSplit]:
        """What Kendall's pair counts are summed over, see `PairSplit`."""
        return split_pairs(self.score, self.human)

    def weighted(self, weights: NDArray[np.float64], human: WeightedRanking | None = None) -> WeightedPairing:
        """Put weights on the rows; the human side may be shared between judges."""
        return WeightedPairing(
            self, WeightedRanking(self.score, weights), human or WeightedRanking(self.human, weights), weights
        )


@dataclass(frozen=True)
class WeightedPairing:
    """A pairing under the weights of resamples, the one argument of every metric."""

    pairing: Pairing
    score: WeightedRanking
    human: WeightedRanking
    weights: NDArray[np.float64]

    @property
    def segments(self) -> Segments:
        """The runs of rows that a metric gives one value for."""
        return self.pairing.human.segments

    @cached_property
    def defined(self) -> NDArray[np.bool_]:
        """Where both sides vary, so that a correlation exists: shape (n_segments, n_resamples)."""
        return (self.score.untied_pairs > 0) & (self.human.untied_pairs > 0)

    @cached_property
    def balance(self) -> NDArray[np.float64]:
        """Concordant less discordant pairs of each segment and resample: shape (n_segments, n_resamples)."""
        if self.weights.shape[1] == 1 and few_classes(self.pairing.human):
            return class_balance(self.pairing.score, self.pairing.human, self.weights[:, 0])[:, None]
        out = np.zeros_like(self.human.totals)
        for split in self.pairing.splits:
            out[split.present] += split.concordance(self.weights)
        return out

    @cached_property
    def moments(self) -> NDArray[np.float64]:
        """Weighted sums of x, y, x**2, y**2 and x y, both less their segment's plain mean.

        Shape (5, n_segments, n_resamples).
        """
        x, y = self.pairing.score.centred, self.pairing.human.centred
        products = (one * other for one, other in ((x, x), (y, y), (x, y)))
        return weighted_sums(chain((x, y), products), self.weights, self.segments)

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted mean of row values, NaN where nothing was drawn: shape (n_segments, n_resamples)."""
        sums = weighted_sums((values,), self.weights, self.segments)[0]
        totals = self.human.totals
        return np.divide(sums, totals, out=np.full(sums.shape, np.nan), where=totals > 0)

    def ratio(self, numerator: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``numerator / sqrt(squares)`` within [-1, 1], NaN where a side is constant."""
        defined = self.defined & (squares > 0)
        out = np.full(numerator.shape, np.nan)
        np.divide(numerator, np.sqrt(squares, where=defined, out=np.ones_like(squares)), out=out, where=defined)
        return np.clip(out, -1.0, 1.0)
