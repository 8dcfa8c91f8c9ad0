"""`length`: what a table would show for a judge that only counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.strategy import Fitted, Strategy


@dataclass(frozen=True)
class Length(Strategy):
    """The prompt's token count, in tokens and on no scale."""

    key: str = "length"
    summary: str = "baseline: the prompt's token count"
    needs = frozenset({"lengths"})
    on_scale = False

    def predict(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the counts."""
        return readouts.n_tokens.astype(np.float64)
