"""`lager-tuned` and what shares its weights: `lager-tuned-max`, `prob-tuned`, `prob-tuned-max`."""

from __future__ import annotations

from dataclasses import dataclass

from ...data.cache.readouts import Readouts
from ..aggregator.group_intercepts import named_intercepts
from ..aggregator.strategy import Learnt
from .layer_mixture import FittedMixture, padded


@dataclass(frozen=True)
class Tuned(FittedMixture):
    """One fitted weight per layer; those of lager-tuned, fitted on logits, as the authors do in their ablation.

    Where agreement counts within groups, preset converged fits each one's intercepts with the weights, see
    `MixtureLoss`.
    """

    has_presets = True

    @property
    def fitted_as(self) -> str:
        """The name of lager-tuned with the same options."""
        return f"{LAGER_TUNED.key}{self.options.suffix}"

    def streams(self, preset: str) -> bool:
        """Return whether the loss can be summed over blocks; the other presets draw batches."""
        return preset == "converged"

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Fit one weight per layer entry."""
        from ..solvers.layer_weights import fit_layer_weights
        from ..solvers.training_items import level_groups, used_logits

        names, group = level_groups(train) if preset == "converged" else ([], None)
        fit = fit_layer_weights(
            used_logits(train, self.options), train.human, scale=train.scale, preset=preset, seed=seed,
            constraint=self.options.constraint, target=train.target, weight=train.weight, group=group,
        )  # fmt: skip
        training = {"n": len(train), "loss": fit.loss, "loss_uniform": fit.loss_uniform, **fit.settings}
        return Learnt(padded(fit.weights, train.logits.shape[1]), named_intercepts(names, fit.intercepts), training)


LAGER_TUNED = Tuned("lager-tuned", "logits weighted over layers, expectation")
