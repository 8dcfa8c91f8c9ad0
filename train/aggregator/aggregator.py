"""A fitted aggregator: plain data that turns read-outs into scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ...data.scale import Scale
from .layer_options import Dataset
from .parameter_checks import is_number
from .presets import check_preset
from .strategy import Strategy

_MAX_LAYERS = 100_000


@dataclass(frozen=True)
class Aggregator:
    """What a strategy learnt, or needs no learning for; applies to any read-outs with its layer count.

    Parameters
    ----------
    definition : Strategy
        How it scores.
    preset : {"converged", "paper", "release"}
        `release` also gives the prob family the released code's meaning: sums, and a second softmax.
    scale : Scale
        The scale of the training data. Layer weights apply to any scale; what learnt scores to this one only.
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

    definition: Strategy
    preset: str
    scale: Scale
    n_layers: int
    weights: tuple[float, ...] | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse parts that cannot score."""
        check_preset(self.preset)
        self.definition.check(self)

    @classmethod
    def untrained(cls, strategy: Strategy, n_layers: int, scale: Scale, preset: str) -> Aggregator:
        """Return the aggregator of a strategy that needs no fitting."""
        if strategy.needs_fitting:
            raise LagerError(f"strategy {strategy.name} has to be fitted: give training data or an aggregator file")
        return cls(strategy, preset, scale, n_layers, strategy.untrained_weights(n_layers, preset))

    @classmethod
    def fitted(cls, strategy: Strategy, train: Readouts, *, preset: str, seed: int) -> Aggregator:
        """Return the aggregator of a strategy, fitted where it needs that to items that all have a human score."""
        n_layers = train.logits.shape[1] - 1
        if not strategy.needs_fitting:
            return cls.untrained(strategy, n_layers, train.scale, preset)
        learnt = strategy.fit(train, preset=preset, seed=seed)
        return cls(strategy, preset if strategy.has_presets else "converged", train.scale, n_layers, *learnt)

    @property
    def strategy(self) -> str:
        """The strategy's name."""
        return self.definition.name

    @property
    def dataset(self) -> Dataset | None:
        """Which read-out it looks at; None where it looks at neither."""
        return self.definition.dataset

    @property
    def has_proba(self) -> bool:
        """Whether the score is read from a distribution over the labels."""
        return self.definition.picks is not None

    @property
    def mixture(self) -> tuple[object, ...] | None:
        """What decides `predict_proba`, equal for strategies that differ in what they pick; None without weights."""
        return self.definition.mixture(self)

    @property
    def last_entry(self) -> int:
        """The last entry of the layer axis that a score depends on: the number of blocks to run."""
        return self.definition.last_entry(self)

    @property
    def poolings(self) -> tuple[str, ...]:
        """The poolings of hidden states that a score depends on."""
        return self.definition.poolings(self)

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
        self._check_scale(readouts)
        return self.definition.predict(self, readouts)

    def predict_proba(self, readouts: Readouts) -> NDArray[np.float64]:
        """Return the distribution over the labels that the score is read from.

        Returns
        -------
        ndarray of shape (n_items, n_labels)

        Raises
        ------
        LagerError
            As `predict`; and for strategies that have no distribution.
        """
        self._check_scale(readouts)
        return self.definition.predict_proba(self, readouts)

    def pick(self, proba: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
        """Return the scores that are read from distributions of `predict_proba`, on the read-outs' scale."""
        return self.definition.pick(proba, scale)

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
    def from_json(cls, raw: Mapping[str, Any], find: Callable[[str], Strategy]) -> Aggregator:
        """Read what `as_json` wrote.

        Parameters
        ----------
        find : callable
            Returns a strategy by its name.

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
            definition=find(raw["strategy"]),
            preset=raw["preset"],
            scale=Scale.from_json(raw.get("scale")),
            n_layers=n_layers,
            weights=None if weights is None else tuple(float(w) for w in weights),
            parameters=raw["parameters"],
            training=raw["training"],
        )

    def _check_scale(self, readouts: Readouts) -> None:
        """Raise `LagerError` where scores of one scale would be given to items on another."""
        if readouts.scale.values != self.scale.values and self.definition.bound_to_scale:
            raise LagerError(
                f"{self.strategy} learnt scores on {self.scale}, the items are on {readouts.scale}: train it anew"
            )
