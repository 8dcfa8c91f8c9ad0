"""A judge's scores beside the human scores of the same items."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .pair_splits import PairSplit, split_pairs
from .ranking import Ranking, WeightedRanking
from .segments import Segments


@dataclass(frozen=True)
class Pairing:
    """Two rankings of the same rows in the same segments; sorted once, weighted many times."""

    score: Ranking
    human: Ranking

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

    def ratio(self, numerator: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``numerator / sqrt(squares)`` within [-1, 1], NaN where a side is constant."""
        defined = self.defined & (squares > 0)
        out = np.full(numerator.shape, np.nan)
        np.divide(numerator, np.sqrt(squares, where=defined, out=np.ones_like(squares)), out=out, where=defined)
        return np.clip(out, -1.0, 1.0)
