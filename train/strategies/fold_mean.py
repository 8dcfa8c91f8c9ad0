"""`fold-mean:NAME`: the mean of another strategy's models, each fitted without a part of the texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.aggregator import Aggregator
from ..aggregator.layer_options import Dataset
from ..aggregator.parameter_checks import need
from ..aggregator.strategy import Fitted, Learnt, Need, Strategy
from .tuned import LAGER_TUNED

_MODELS = "models"
MOST_MODELS = 1000


@dataclass(frozen=True)
class FoldMean(Strategy):
    """The mean of models that were each fitted without a fold of whole clusters.

    Each model's error is known on items that it has not seen, so that the labels that fitted the scores calibrate them
    too (`CrossCalibration`). A distribution is the mean of the models' distributions.

    Parameters
    ----------
    base : Strategy
        What is fitted.
    """

    key: str = "fold-mean"
    summary: str = "mean of models fitted without a fold each"
    base: Strategy = LAGER_TUNED
    forms = ("fold-mean:NAME",)
    complete = False
    chooses_by_clusters = True
    refusal = "takes its options from what it fits, as in fold-mean:lager-tuned+normed"

    @property
    def argument(self) -> str:
        """The strategy that is fitted."""
        return self.base.name

    def named(self, name: str, find: Callable[[str], Strategy]) -> Strategy | None:
        """Return the mean of a strategy's models by name; options behind the name are that strategy's."""
        key, colon, base_name = name.partition(":")
        if key != self.key or not colon:
            return None
        base = find(base_name)
        if isinstance(base, FoldMean) or not base.needs_fitting:
            raise LagerError(f"{name!r}: fold-mean is of a strategy that is fitted, such as fold-mean:lager-tuned")
        return replace(self, base=base)

    @property
    def needs(self) -> frozenset[Need]:
        """What the other strategy needs."""
        return self.base.needs

    @property
    def dataset(self) -> Dataset | None:
        """The other strategy's."""
        return self.base.dataset

    @property
    def read_to_fit(self) -> tuple[Dataset, ...]:
        """The other strategy's."""
        return self.base.read_to_fit

    @property
    def has_presets(self) -> bool:
        """Those of the other strategy."""
        return self.base.has_presets

    @property
    def bound_to_scale(self) -> bool:
        """Whether the other strategy is."""
        return self.base.bound_to_scale

    @property
    def on_scale(self) -> bool:
        """Whether the other strategy's scores are."""
        return self.base.on_scale

    @property
    def picks(self) -> Literal["expectation", "argmax"] | None:
        """How the other strategy reads a score from its distribution."""
        return self.base.picks

    def last_entry(self, fitted: Fitted) -> int:
        """Return how deep the deepest model reads."""
        return max(one.last_entry for one in self.members(fitted))

    def poolings(self, fitted: Fitted) -> tuple[str, ...]:
        """Return the poolings of hidden states that any model reads."""
        return tuple(dict.fromkeys(name for one in self.members(fitted) for name in one.poolings))

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Fit a model without each of five folds, or as many as there are clusters."""
        from ..solvers.training_items import inner_folds

        folds = inner_folds(train, strategy=self.name, seed=seed)
        models = [Aggregator.fitted(self.base, train.take(one.train), preset=preset, seed=seed) for one in folds]
        return Learnt(None, fold_models(models), {"n": len(train), "folds": len(folds)})

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless there are models of the other strategy, on the same layers and scale."""
        super().check(fitted)
        same = all(
            one.n_layers == fitted.n_layers and one.scale == fitted.scale and one.preset == fitted.preset
            for one in self.members(fitted)
        )
        need(same, self.name, "models of its own layers, scale and preset")

    def members(self, fitted: Fitted) -> list[Aggregator]:
        """Return the models, in the order of the folds that they have not seen."""
        raw: Any = fitted.parameters.get(_MODELS)
        right = isinstance(raw, list) and 2 <= len(raw) <= MOST_MODELS
        right = right and all(isinstance(one, dict) and one.get("strategy") == self.base.name for one in raw)
        need(right, self.name, f"`{_MODELS}`, a list of aggregators of {self.base.name}")
        return [Aggregator.from_json(one, lambda _: self.base) for one in raw]

    def scores_of_models(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return each model's scores, shape (n_models, n_items)."""
        return np.array([one.predict(readouts) for one in self.members(fitted)])

    def predict(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return what is read from the mean distribution, else the mean of the models' scores."""
        if self.picks is not None:
            return self.pick(self.predict_proba(fitted, readouts), readouts.scale)
        return np.asarray(self.scores_of_models(fitted, readouts).mean(axis=0))

    def predict_proba(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the mean of the models' distributions."""
        if self.picks is None:
            return super().predict_proba(fitted, readouts)
        return np.asarray(np.mean([one.predict_proba(readouts) for one in self.members(fitted)], axis=0))


def fold_models(models: list[Aggregator]) -> dict[str, Any]:
    """Return the parameters of an aggregator that is the mean of some."""
    return {_MODELS: [replace(one, training={}).as_json() for one in models]}
