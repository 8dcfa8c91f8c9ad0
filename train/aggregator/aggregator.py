"""A fitted aggregator: plain data that turns read-outs into scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ...data.scale import Scale
from .label_probabilities import label_probabilities, probe_outputs, probe_probabilities
from .mixing import (
    expected_value,
    group_means,
    linear_scores,
    mix_logits,
    mix_probabilities,
    most_likely_value,
    scale_position,
)
from .parameters import check_parameters, is_number
from .strategy_names import Strategy, check_preset, is_bound_to_scale, lookup

_MAX_LAYERS = 100_000


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
        One number per layer entry, 0 for an entry that is not used; None for strategies without layer weights.
    parameters : mapping
        What else was learnt: the layer of `best-layer`, the coefficients of `ridge`. JSON types only.
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
        check_parameters(self.definition, self.strategy, self.parameters, (self.n_layers + 1, len(self.scale)))

    @property
    def definition(self) -> Strategy:
        """What the strategy mixes and how it picks a score."""
        return lookup(self.strategy)

    @property
    def dataset(self) -> Literal["logits", "logits_normed"] | None:
        """Which read-out it looks at; None where it looks at neither."""
        if self.definition.reads == "strategy":
            return Aggregator.from_json(self.parameters["base"]).dataset
        if self.definition.reads in {"nothing", "hidden"}:
            return None
        normed = self.definition.weights == "final" or self.definition.options.readout == "normed"
        return "logits_normed" if normed else "logits"

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
        self._check_scale(readouts)
        if self.strategy == "group-mean":
            return group_means(readouts, self.parameters)
        if self.definition.reads == "strategy":
            base = Aggregator.from_json(self.parameters["base"]).predict(readouts)
            return np.interp(base, self.parameters["from"], self.parameters["to"])
        if self.definition.picks is None and self.definition.reads == "hidden":
            return probe_outputs(readouts, self.parameters)[:, 0]
        if self.definition.picks is None:
            return self._linear(readouts) + self.parameters["intercept"]
        return self.pick(self.predict_proba(readouts), readouts.scale)

    def pick(self, proba: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
        """Return the scores that are read from distributions of `predict_proba`, on the read-outs' scale."""
        pick = expected_value if self.definition.picks == "expectation" else most_likely_value
        return pick(proba, scale.array)

    @property
    def mixture(self) -> tuple[object, ...] | None:
        """What decides `predict_proba`, equal for strategies that differ in what they pick; None without weights."""
        if self.weights is None:
            return None
        scaling = tuple(tuple(self.parameters.get(name, ())) for name in ("slopes", "biases"))
        return self.definition.mixes, self.dataset, self.preset == "release", self.weights, *scaling

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
        if self.definition.picks is None:
            raise LagerError(f"strategy {self.strategy} has no distribution over the labels: use predict")
        self._check_scale(readouts)
        if self.definition.reads == "hidden":
            return probe_probabilities(readouts, self.parameters, self.scale)
        if self.weights is None:
            return label_probabilities(self._linear(readouts), self.parameters, self.scale)
        logits, weights = self._logits(readouts), np.array(self.weights)
        if self.definition.mixes == "probabilities":
            return mix_probabilities(logits, weights, second_softmax=self.preset == "release")
        if "slopes" not in self.parameters:
            return mix_logits(logits, weights)
        lean = float(weights @ np.array(self.parameters["biases"]))
        return mix_logits(
            logits, weights * np.array(self.parameters["slopes"]), offset=lean * scale_position(readouts.scale)
        )

    @property
    def has_proba(self) -> bool:
        """Whether the score is read from a distribution over the labels."""
        return self.definition.picks is not None

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {
            "strategy": self.strategy,
            "preset": self.preset,
            "weights": None if self.weights is None else list(self.weights),
            "parameters": dict(self.parameters),
            "scale": self.scale.as_json(),
            "n_layers": self.n_layers,
            "training": dict(self.training),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Aggregator:
        """Read what `as_json` wrote.

        Raises
        ------
        LagerError
            Naming the field that is wrong.
        """
        weights, n_layers = raw.get("weights"), raw.get("n_layers")
        if weights is not None and not (isinstance(weights, list) and all(is_number(w) for w in weights)):
            raise LagerError("`weights` is not a list of numbers")
        if type(n_layers) is not int or not 0 <= n_layers <= _MAX_LAYERS:
            raise LagerError("`n_layers` is not a count of layers")
        for key in ("strategy", "preset"):
            if not isinstance(raw.get(key), str):
                raise LagerError(f"`{key}` is not text")
        for key in ("parameters", "training"):
            if not isinstance(raw.get(key), dict):
                raise LagerError(f"`{key}` is not an object")
        return cls(
            strategy=raw["strategy"],
            preset=raw["preset"],
            scale=Scale.from_json(raw.get("scale")),
            n_layers=n_layers,
            weights=None if weights is None else tuple(float(w) for w in weights),
            parameters=raw["parameters"],
            training=raw["training"],
        )

    def _logits(self, readouts: Readouts) -> NDArray[Any]:
        """Return the read-outs that the strategy looks at, after checking that they are of as many layers."""
        found = readouts.logits.shape[1] - 1
        if found != self.n_layers:
            raise LagerError(
                f"the aggregator ({self.strategy}) was fitted on {self.n_layers} layers and the read-outs have "
                f"{found}: train it on read-outs of the same model"
            )
        return readouts.logits_normed if self.dataset == "logits_normed" else readouts.logits

    def _linear(self, readouts: Readouts) -> NDArray[np.float64]:
        """Return the linear score of the flattened read-out."""
        return linear_scores(self._logits(readouts), np.array(self.parameters["coefficients"], dtype=np.float64))

    def _check_scale(self, readouts: Readouts) -> None:
        """Raise `LagerError` where scores of one scale would be given to items on another."""
        if readouts.scale.values != self.scale.values and is_bound_to_scale(self.strategy):
            raise LagerError(
                f"{self.strategy} learnt scores on {self.scale}, the items are on {readouts.scale}: train it anew"
            )


_FEW = ("early", "layer", "best")


def last_entry(aggregator: Aggregator) -> int:
    """Return the last entry of the layer axis that a score depends on: the number of blocks to run.

    Only strategies that are made to read few layers have less than all; weights of others may end in zeros by chance.
    """
    if aggregator.definition.reads == "strategy":
        return last_entry(Aggregator.from_json(aggregator.parameters["base"]))
    if aggregator.weights is None or aggregator.definition.weights not in _FEW:
        return aggregator.n_layers
    return int(np.flatnonzero(aggregator.weights)[-1])
