"""What strategies of layer weights share: what they mix, how weights are checked, and which fit them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.group_intercepts import GROUP_INTERCEPTS, check_intercepts, item_intercepts
from ..aggregator.layer_options import WORDS
from ..aggregator.mixing import mix_logits, mix_probabilities
from ..aggregator.strategy import Fitted, Strategy


@dataclass(frozen=True)
class LayerMixture(Strategy):
    """A strategy that mixes layers by weight, ``softmax(sum_l w_l z^(l))`` or ``sum_l w_l softmax(z^(l))``.

    Parameters
    ----------
    mixes : {"logits", "probabilities"}
        What is averaged over layers.
    picks : {"expectation", "argmax"}
        How a score is read from the mixture.
    """

    mixes: Literal["logits", "probabilities"] = "logits"
    picks: Literal["expectation", "argmax"] = "expectation"
    needs = frozenset({"logits"})
    takes = frozenset({"normed", "no-last"})
    refusal = "fits no layer weights that could be constrained"

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless there is a finite weight for each layer entry, and one that is not zero."""
        weights, n_entries = fitted.weights, fitted.n_layers + 1
        if weights is None or len(weights) != n_entries:
            got = "none" if weights is None else str(len(weights))
            raise LagerError(f"strategy {self.name} needs {n_entries} layer weights, got {got}")
        if not all(math.isfinite(w) for w in weights) or not any(weights):
            raise LagerError(f"layer weights of {self.name} must be finite and not all zero")
        check_intercepts(self.name, fitted.parameters, len(fitted.scale))

    def predict_proba(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the mixed distribution."""
        logits, weights = self.logits(fitted, readouts), np.array(fitted.weights)
        offset = group_offsets(fitted, readouts)
        if self.mixes == "probabilities":
            return mix_probabilities(logits, weights, offset=offset, second_softmax=fitted.preset == "release")
        return mix_logits(logits, weights, offset=0.0 if offset is None else offset)

    def mixture(self, fitted: Fitted) -> tuple[object, ...] | None:
        """Return what decides the mixed distribution."""
        by_group = tuple((name, *values) for name, values in fitted.parameters.get(GROUP_INTERCEPTS, {}).items())
        return self.mixes, self.dataset, fitted.preset == "release", fitted.weights, by_group


@dataclass(frozen=True)
class FittedMixture(LayerMixture):
    """A mixture whose weights are fitted."""

    needs = frozenset({"labels", "logits"})
    takes = frozenset(WORDS)

    def doubt(self, fitted: Fitted, n: int) -> str | None:
        """Return a warning where there are fewer items than weights."""
        if n >= (n_weights := fitted.n_layers + 1):
            return None
        return f"{n} items for {n_weights} weights: too few to tell layers apart; compare with lager-shrunk"


def group_offsets(fitted: Fitted, readouts: Readouts) -> NDArray[np.float64] | None:
    """Return what each item's group adds to its logits, shape (n_items, n_labels); None on another scale."""
    if readouts.scale.values != fitted.scale.values:
        return None
    offsets = item_intercepts(fitted.parameters, readouts)
    return offsets if isinstance(offsets, np.ndarray) else None


def one_hot(entry: int, n_layers: int) -> tuple[float, ...]:
    """Return all weight on one entry."""
    return tuple(float(other == entry) for other in range(n_layers + 1))


def padded(weights: NDArray[np.float64], n_entries: int) -> tuple[float, ...]:
    """Return weights of the first entries as one number per entry, 0 for the rest."""
    return (*weights.tolist(), *(0.0,) * (n_entries - len(weights)))


def means_over_folds(by_fold: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the folds in which a figure is defined, NaN where it is in none."""
    defined = ~np.isnan(by_fold)
    counts = defined.sum(axis=1)
    totals = np.where(defined, by_fold, 0.0).sum(axis=1)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)
