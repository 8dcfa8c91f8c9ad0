"""`vscore` and `e-score`: the final layer alone, as a judge is read without this library."""

from __future__ import annotations

from dataclasses import dataclass

from .layer_mixture import LayerMixture, one_hot


@dataclass(frozen=True)
class FinalLayer(LayerMixture):
    """The model's own logits: the last entry of the normed read-out."""

    takes = frozenset[str]()
    dataset = "logits_normed"
    refusal = "reads the last normed entry by definition"

    def untrained_weights(self, n_layers: int, preset: str) -> tuple[float, ...]:
        """Return all weight on the last entry."""
        return one_hot(n_layers, n_layers)
