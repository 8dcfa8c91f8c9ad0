"""`lager`, `prob` and what they say most likely: all layers weigh the same."""

from __future__ import annotations

from dataclasses import dataclass

from ...data.errors import LagerError
from .layer_mixture import LayerMixture


@dataclass(frozen=True)
class Uniform(LayerMixture):
    """The mean over layers. Preset release drops the last entry, and sums probabilities instead of averaging."""

    def untrained_weights(self, n_layers: int, preset: str) -> tuple[float, ...]:
        """Return equal weights of the entries in use: all, or all but the last."""
        n_used = n_layers + (self.options.last and preset != "release")
        if n_used < 1:
            raise LagerError(
                "without the last entry nothing is left, as the read-outs have only one: use preset converged"
            )
        # The released code sums per-layer probabilities; logits it averages.
        share = 1.0 if self.mixes == "probabilities" and preset == "release" else 1.0 / n_used
        return (*(share,) * n_used, *(0.0,) * (n_layers + 1 - n_used))
