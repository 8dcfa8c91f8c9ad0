"""`isotonic`: another strategy's score brought to the humans' by a monotone curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.aggregator import Aggregator
from ..aggregator.group_intercepts import check_intercepts, item_intercepts, named_intercepts
from ..aggregator.layer_options import Dataset
from ..aggregator.parameter_checks import ascends, is_vector, need
from ..aggregator.strategy import Fitted, Learnt, Need, Strategy
from .tuned import LAGER_TUNED

_MAX_TURNS = 200
_SMALL_TURN = 1e-7  # of an intercept, on scales of a few points


@dataclass(frozen=True)
class Isotonic(Strategy):
    """The non-decreasing curve of least squared error from a strategy's score to the human score.

    The curve is fitted to scores of items that the strategy had not seen (out of fold, clusters whole), where the
    strategy needs fitting: scores of its own training items would make it look surer than it is. Between the steps'
    ends it is linear, beyond them constant (pool adjacent violators; Zadrozny & Elkan 2002). Where agreement counts
    within groups, each has an intercept beside the one curve.

    Parameters
    ----------
    base : Strategy
        What is recalibrated.
    """

    key: str = "isotonic"
    summary: str = "monotone recalibration of lager-tuned"
    base: Strategy = LAGER_TUNED
    forms = ("isotonic:NAME",)
    read_to_fit = ("logits", "logits_normed")
    bound_to_scale = True
    chooses_by_clusters = True
    refusal = "takes its options from what it recalibrates, as in isotonic:lager-tuned+normed"

    @property
    def argument(self) -> str:
        """The strategy that is recalibrated."""
        return "" if self.base == LAGER_TUNED else self.base.name

    def named(self, name: str, find: Callable[[str], Strategy]) -> Strategy | None:
        """Return the recalibration of a strategy by name; options behind the name are that strategy's."""
        key, colon, base_name = name.partition(":")
        if key != self.key or not colon:
            return super().named(name, find)
        base = find(base_name)
        if isinstance(base, Isotonic):
            raise LagerError(f"{name!r}: isotonic on isotonic changes nothing; name the strategy to recalibrate")
        return replace(self, base=base, summary=f"monotone recalibration of {base.name}")

    @property
    def needs(self) -> frozenset[Need]:
        """What the other strategy needs, and human scores."""
        return self.base.needs | {"labels"}

    @property
    def dataset(self) -> Dataset | None:
        """The other strategy's."""
        return self.base.dataset

    @property
    def has_presets(self) -> bool:
        """Those of the other strategy."""
        return self.base.has_presets

    def last_entry(self, fitted: Fitted) -> int:
        """Return how deep the other strategy reads."""
        return self._recalibrated(fitted).last_entry

    def poolings(self, fitted: Fitted) -> tuple[str, ...]:
        """Return the other strategy's poolings."""
        return self._recalibrated(fitted).poolings

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Fit the other strategy, and the curve to its scores."""
        from ..solvers.training_data import check_training_data
        from ..solvers.training_items import inner_folds, item_weights, level_groups

        check_training_data(train.logits, train.human, train.scale)
        fitted = Aggregator.fitted(self.base, train, preset=preset, seed=seed)
        scores = fitted.predict(train)
        training: dict[str, object] = {"n": len(train)}
        if self.base.needs_fitting:
            folds = inner_folds(train, strategy=self.name, seed=seed)
            training["folds"] = len(folds)
            for fold in folds:
                apart = Aggregator.fitted(self.base, train.take(fold.train), preset=preset, seed=seed)
                scores[fold.test] = apart.predict(train.take(fold.test))
        if (scores == scores[0]).all():
            raise LagerError(
                f"{self.name}: {self.base.name} gives all {len(train)} items {scores[0]:g}, so no curve can be fitted"
            )
        names, group = level_groups(train)
        curve, intercepts = curve_within_groups(scores, train.human, item_weights(train), group)
        parameters = {
            "base": replace(fitted, training={}).as_json(),
            "from": curve[0].tolist(),
            "to": curve[1].tolist(),
            **named_intercepts(names, intercepts),
        }
        return Learnt(None, parameters, training)

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless there is the other strategy's aggregator, and a curve that ascends."""
        super().check(fitted)
        self._recalibrated(fitted)
        start: Any = fitted.parameters.get("from")
        end: Any = fitted.parameters.get("to")
        right = is_vector(start) and len(start) > 1 and ascends(start, strictly=True)
        need(right, self.name, "an ascending list `from`")
        need(is_vector(end, len(start)) and ascends(end), self.name, "an ascending list `to` of the same length")
        check_intercepts(self.name, fitted.parameters)

    def predict(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the other strategy's scores, bent, with their group's intercept."""
        base = self._recalibrated(fitted).predict(readouts)
        bent = np.interp(base, fitted.parameters["from"], fitted.parameters["to"])
        return np.asarray(bent + item_intercepts(fitted.parameters, readouts))

    def _recalibrated(self, fitted: Fitted) -> Aggregator:
        """Return the other strategy's aggregator, after checking that it is the one of the name."""
        raw: Any = fitted.parameters.get("base")
        named = isinstance(raw, Mapping) and raw.get("strategy") == self.base.name
        need(named, self.name, "the `base` it is named for")
        return Aggregator.from_json(raw, lambda _: self.base)


def curve_within_groups(
    scores: NDArray[np.float64], human: NDArray[np.float64], weight: NDArray[np.float64], group: NDArray[np.intp] | None
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]:
    """Return the curve of `monotone_curve` beside an intercept for each group, their mean 0; shape (n_groups,).

    One is fitted to what the other leaves, in turns: the sum of squares is convex in both and falls to its minimum.
    """
    curve = monotone_curve(scores, human, weight)
    if group is None:
        return curve, np.zeros(0)
    total = np.bincount(group, weights=weight)
    intercepts = np.zeros(len(total))
    for _ in range(_MAX_TURNS):
        left = human - np.interp(scores, *curve)
        found = np.bincount(group, weights=weight * left) / total
        moved = float(np.abs((found - found.mean()) - intercepts).max())
        intercepts = found - found.mean()
        curve = monotone_curve(scores, human - intercepts[group], weight)
        if moved <= _SMALL_TURN:
            break
    return curve, intercepts


def monotone_curve(
    scores: NDArray[np.float64], human: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of the non-decreasing curve of least weighted squared error.

    Returns
    -------
    ndarray of shape (n_corners,)
        Scores, ascending.
    ndarray of shape (n_corners,)
        Their values on the curve.
    """
    from scipy.optimize import isotonic_regression

    distinct, place = np.unique(scores, return_inverse=True)
    mass = np.bincount(place, weights=weight)
    mean = np.bincount(place, weights=weight * human) / mass
    curve = isotonic_regression(mean, weights=mass).x
    # The inner points of a flat stretch add nothing.
    corner = np.ones(len(curve), dtype=np.bool_)
    corner[1:-1] = (curve[1:-1] != curve[:-2]) | (curve[1:-1] != curve[2:])
    return distinct[corner], curve[corner]
