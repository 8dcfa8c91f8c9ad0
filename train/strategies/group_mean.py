"""`group-mean`: what a table would show for a judge that knows the criterion and nothing of the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.parameter_checks import is_vector, need
from ..aggregator.strategy import Fitted, Learnt, Strategy


@dataclass(frozen=True)
class GroupMean(Strategy):
    """The training mean of each item's group; of all training items where the group was not seen."""

    key: str = "group-mean"
    summary: str = "baseline: training mean of the item's group"
    needs = frozenset({"labels", "groups"})
    has_presets = True
    bound_to_scale = True

    def streams(self, preset: str) -> bool:
        """Return that no read-outs are needed."""
        return True

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Return the weighted mean human score, over all items and by group."""
        from ..solvers.training_items import item_weights

        weight = item_weights(train)
        means: dict[str, float] = {}
        if train.group is not None:
            numbers: dict[str | None, int] = {}
            codes = np.array([numbers.setdefault(group, len(numbers)) for group in train.group], dtype=np.intp)
            totals = np.bincount(codes, weights=weight * train.human) / np.bincount(codes, weights=weight)
            means = {group: float(totals[code]) for group, code in numbers.items() if group is not None}
        parameters = {"mean": float(weight @ train.human), "group_means": dict(sorted(means.items()))}
        return Learnt(None, parameters, {"n": len(train)})

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless there is a mean, and one for each group."""
        super().check(fitted)
        means = fitted.parameters.get("group_means")
        numbers = [fitted.parameters.get("mean"), *(means.values() if isinstance(means, dict) else (None,))]
        need(is_vector(numbers), self.name, "a finite `mean` and an object `group_means` of finite numbers")

    def told(self, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the mean of all items."""
        return {"mean": f"{parameters['mean']:.3f}, in {len(parameters['group_means'])} groups"}

    def predict(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return each item's mean."""
        overall, means = fitted.parameters["mean"], fitted.parameters["group_means"]
        if readouts.group is None:
            return np.full(len(readouts), overall, dtype=np.float64)
        return np.array([means.get(group, overall) for group in readouts.group], dtype=np.float64)
