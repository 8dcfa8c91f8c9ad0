"""`vscore` and `e-score`: the final layer alone, as a judge is read without this library."""

from __future__ import annotations

from dataclasses import dataclass

from ..aggregator.layer_options import Dataset
from .layer_mixture import LayerMixture, one_hot


@dataclass(frozen=True)
class FinalLayer(LayerMixture):
    """The model's own logits: the last entry of the normed read-out."""

    @property
    def takes(self) -> tuple[str, ...]:
        """No options."""
        return ()

    def refusal(self, word: str) -> str:
        """Return why it cannot have an option."""
        return "reads the last normed entry by definition"

    @property
    def dataset(self) -> Dataset:
        """The normed read-out."""
        return "logits_normed"

    def untrained_weights(self, n_layers: int, preset: str) -> tuple[float, ...]:
        """Return all weight on the last entry."""
        return one_hot(n_layers, n_layers)
