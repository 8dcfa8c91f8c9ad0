"""`layer:N`: one layer entry alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ...data.errors import LagerError
from ..aggregator.strategy import Fitted
from .layer_mixture import LayerMixture, one_hot


@dataclass(frozen=True)
class SingleLayer(LayerMixture):
    """The expectation at one layer entry; without a number it only stands for the form of the name."""

    key: str = "layer"
    summary: str = "one layer entry alone, expectation"
    entry: int | None = None
    forms = ("layer:N",)
    hint = "a single layer is written layer:N with N from 0, such as layer:12"
    takes = frozenset({"normed"})
    refusal = "uses one entry only"

    @property
    def argument(self) -> str:
        """The entry's number."""
        return "" if self.entry is None else str(self.entry)

    @property
    def complete(self) -> bool:
        """Whether the entry is named."""
        return self.entry is not None

    def with_argument(self, text: str) -> SingleLayer | None:
        """Return the strategy of a numbered entry."""
        number = entry_number(text)
        if number is None:
            return None
        return replace(self, entry=number, summary=f"layer entry {number} alone, expectation")

    def untrained_weights(self, n_layers: int, preset: str) -> tuple[float, ...]:
        """Return all weight on the entry."""
        if self.entry is None or self.entry > n_layers:
            raise LagerError(f"there is no {self.name}: the read-outs have entries layer:0 to layer:{n_layers}")
        return one_hot(self.entry, n_layers)

    def last_entry(self, fitted: Fitted) -> int:
        """Return the entry."""
        return last_weighed(fitted)


def entry_number(text: str) -> int | None:
    """Return the number of a layer entry as names carry it, None for other text."""
    return int(text) if re.fullmatch(r"\d{1,5}", text) else None


def last_weighed(fitted: Fitted) -> int:
    """Return the last entry whose weight is not 0."""
    return max(entry for entry, weight in enumerate(fitted.weights or ()) if weight)
