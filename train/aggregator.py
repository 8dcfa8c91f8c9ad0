"""A fitted aggregator: plain data that turns read-outs into scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.errors import LagerError
from ..data.readouts import Readouts
from ..data.scale import Scale
from .layer_weights import check_preset
from .mixing import expected_value, mix_logits, mix_probabilities, most_likely_value
from .strategy_names import Strategy, lookup


@dataclass(frozen=True)
class Aggregator:
    """What a strategy learnt, or needs no learning for; applies to any read-outs with its layer count.

    Parameters
    ----------
    strategy : str
        A name of `strategy_names`.
    preset : {"converged", "paper", "release"}
        `release` also gives the prob family the released code's meaning: sums, and a second softmax.
    scale : Scale
        The scale of the training data. Layer weights apply to any scale; `group-mean` to this one only.
    n_layers : int
        L; the layer axis has L + 1 entries.
    weights : tuple of float or None
        One number per layer entry, 0 for an entry that is not used; None for baselines, which read no logits.
    parameters : mapping
        What else was learnt: the layer of `best-layer`, the means of `group-mean`. JSON types only.
    training : mapping
        How it was fitted (n, seed, loss reached, ...). JSON types only; nothing here changes a score.

    Raises
    ------
    LagerError
        When the parts do not fit each other.
    """

    strategy: str
    preset: str
    scale: Scale
    n_layers: int
    weights: tuple[float, ...] | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse parts that cannot score."""
        check_preset(self.preset)
        if self.definition.mixes is None:
            if self.weights is not None:
                raise LagerError(f"strategy {self.strategy} has no layer weights, got {len(self.weights)}")
        elif self.weights is None or len(self.weights) != self.n_layers + 1:
            got = "none" if self.weights is None else str(len(self.weights))
            raise LagerError(f"strategy {self.strategy} needs {self.n_layers + 1} layer weights, got {got}")
        elif not all(math.isfinite(w) for w in self.weights) or not any(self.weights):
            raise LagerError(f"layer weights of {self.strategy} must be finite and not all zero")
        if self.strategy == "group-mean":
            _check_means(self.parameters)

    @property
    def definition(self) -> Strategy:
        """What the strategy mixes and how it picks a score."""
        return lookup(self.strategy)

    def predict(self, readouts: Readouts) -> NDArray[np.float64]:
        """Return one score per item on the read-outs' own scale (`length`: in tokens); never NaN.

        Of equally likely labels an argmax takes the smallest value.

        Returns
        -------
        ndarray of shape (n_items,)

        Raises
        ------
        LagerError
            When the layer count differs, or an item's read-out is not finite.
        """
        if self.strategy == "length":
            return readouts.n_tokens.astype(np.float64)
        if self.strategy == "group-mean":
            return self._group_means(readouts)
        proba = self.predict_proba(readouts)
        pick = expected_value if self.definition.picks == "expectation" else most_likely_value
        return pick(proba, readouts.scale.array)

    def predict_proba(self, readouts: Readouts) -> NDArray[np.float64]:
        """Return the distribution over the labels that the score is read from.

        Returns
        -------
        ndarray of shape (n_items, n_labels)

        Raises
        ------
        LagerError
            As `predict`; and for baselines, which have no distribution.
        """
        if self.weights is None:
            raise LagerError(f"strategy {self.strategy} has no distribution over the labels: use predict")
        found = readouts.logits.shape[1] - 1
        if found != self.n_layers:
            raise LagerError(
                f"the aggregator ({self.strategy}) was fitted on {self.n_layers} layers and the read-outs have "
                f"{found}: train it on read-outs of the same model"
            )
        weights = np.array(self.weights)
        if self.definition.weights == "final":
            return mix_logits(readouts.logits_normed, weights)
        if self.definition.mixes == "logits":
            return mix_logits(readouts.logits, weights)
        return mix_probabilities(readouts.logits, weights, second_softmax=self.preset == "release")

    def _group_means(self, readouts: Readouts) -> NDArray[np.float64]:
        """Return the training mean of each item's group; of all training items where the group was not seen."""
        if readouts.scale.values != self.scale.values:
            raise LagerError(
                f"group-mean learnt scores on {self.scale}, the items are on {readouts.scale}: train it anew"
            )
        overall, means = self.parameters["mean"], self.parameters["group_means"]
        if readouts.group is None:
            return np.full(len(readouts), overall, dtype=np.float64)
        return np.array([means.get(group, overall) for group in readouts.group], dtype=np.float64)


def _check_means(parameters: Mapping[str, Any]) -> None:
    """Raise `LagerError` unless these are the parameters of `group-mean`."""
    means = parameters.get("group_means")
    numbers = [parameters.get("mean"), *(means.values() if isinstance(means, dict) else (None,))]
    if not all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in numbers):
        raise LagerError("group-mean needs a finite `mean` and an object `group_means` of finite numbers")
