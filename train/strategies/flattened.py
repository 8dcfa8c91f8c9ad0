"""The flattened read-out as features of a regression: one column per layer entry and label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ..aggregator.group_intercepts import check_intercepts, item_intercepts, named_intercepts
from ..aggregator.layer_options import LayerOptions
from ..aggregator.mixing import require_finite
from ..aggregator.parameter_checks import is_matrix, need
from ..aggregator.strategy import Fitted, Strategy

if TYPE_CHECKING:
    from ..solvers.freed_columns import FreedColumns

_ITEMS_AT_ONCE = 4096  # scored at once: their float64 copies stay small


@dataclass(frozen=True)
class Flattened(Strategy):
    """What `ridge` and `ordinal` share: a linear score of all logits, learnt on one scale with a penalty."""

    needs = frozenset({"labels", "logits"})
    takes = frozenset({"normed", "no-last"})
    bound_to_scale = True
    chooses_by_clusters = True
    refusal = "fits no layer weights that could be constrained"

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless there is a coefficient for each logit."""
        super().check(fitted)
        n_entries, n_labels = fitted.n_layers + 1, len(fitted.scale)
        shaped = is_matrix(fitted.parameters.get("coefficients"), n_entries, n_labels)
        need(shaped, self.name, f"`coefficients` for {n_entries} x {n_labels} logits")
        check_intercepts(self.name, fitted.parameters)

    def doubt(self, fitted: Fitted, n: int) -> str | None:
        """Return a warning where there are no more items than coefficients."""
        if n > (n_logits := (fitted.n_layers + 1) * len(fitted.scale)):
            return None
        return f"{n} items for {n_logits} coefficients: the penalty decides much; compare with lager-shrunk"

    def told(self, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the penalty."""
        return {"penalty": f"{parameters['penalty']:g}"}

    def linear(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the linear score of the flattened read-out, with its group's intercept; shape (n_items,)."""
        coefficients = np.array(fitted.parameters["coefficients"], dtype=np.float64)
        return linear_scores(self.logits(fitted, readouts), coefficients) + item_intercepts(fitted.parameters, readouts)


def linear_scores(logits: NDArray[Any], coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``sum_lk c_lk z_lk`` of every item, shape (n_items,).

    Parameters
    ----------
    logits : ndarray of shape (n_items, n_entries, n_labels)
    coefficients : ndarray of shape (n_entries, n_labels)
        Entries whose coefficients are all 0 are not looked at.

    Raises
    ------
    LagerError
        When an item's score is not finite.
    """
    used = np.flatnonzero(coefficients.any(axis=1))
    flat = coefficients[used].ravel()
    out = np.zeros(len(logits))
    for first in range(0, len(logits), _ITEMS_AT_ONCE):
        rows = slice(first, first + _ITEMS_AT_ONCE)
        block = logits[rows] if len(used) == logits.shape[1] else logits[rows][:, used]
        with np.errstate(invalid="ignore"):  # an infinite logit becomes NaN here and is refused below
            out[rows] = block.reshape(len(block), -1).astype(np.float64) @ flat
    require_finite(out[:, None])
    return out


class Features(NamedTuple):
    """Standardised features, and what brings coefficients back to logits."""

    columns: NDArray[np.float64]
    """ndarray of shape (n_items, n_used_entries * n_labels + n_groups): logits with mean 0 and deviation 1 (0 where
    constant), then `freed`."""
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    """ndarray of shape (n_used_entries * n_labels,)."""
    shape: tuple[int, int]
    """n_used_entries, n_labels."""
    freed: FreedColumns
    """The groups' columns."""

    def on_logits(
        self, coefficients: NDArray[np.float64], n_entries: int
    ) -> tuple[NDArray[np.float64], float, dict[str, Any]]:
        """Return coefficients of the logits themselves, 0 for entries not used, the constant to add, and intercepts.

        The constant of each item and layer has been taken out of the features; taking it out of the coefficients
        instead gives the same scores.

        Returns
        -------
        ndarray of shape (n_entries, n_labels)
        float
        dict
            The groups' intercepts as parameters of an aggregator, empty where there are none.
        """
        n_columns = len(self.deviation)
        raw = coefficients[:n_columns] / self.deviation
        intercepts, constant = self.freed.intercepts(coefficients[n_columns:])
        by_layer = raw.reshape(self.shape)
        out = np.zeros((n_entries, self.shape[1]))
        out[: self.shape[0]] = by_layer - by_layer.mean(axis=1, keepdims=True)
        return out, float(constant - self.mean @ raw), named_intercepts(self.freed.names, intercepts)


def standardised(train: Readouts, options: LayerOptions, weight: NDArray[np.float64]) -> Features:
    """Return the features of training items.

    A constant per item and layer is no information under softmax and is taken out.

    Parameters
    ----------
    weight : ndarray of shape (n_items,)
        How much each item counts; sum 1.
    """
    from ..solvers.freed_columns import FreedColumns
    from ..solvers.training_items import used_logits

    logits = used_logits(train, options).astype(np.float64)
    logits = logits - logits.mean(axis=2, keepdims=True)
    columns = logits.reshape(len(logits), -1)
    mean = weight @ columns
    columns = columns - mean
    deviation = np.sqrt(weight @ columns**2)
    # What is left of a constant column is rounding, not signal.
    constant = deviation <= 1e-12 * np.abs(mean)
    deviation[constant | (deviation == 0.0)] = 1.0
    columns[:, constant] = 0.0
    columns /= deviation
    freed = FreedColumns.of(train, weight)
    columns = np.concatenate([columns, freed.columns], axis=1) if freed.names else columns
    return Features(columns, mean, deviation, (logits.shape[1], logits.shape[2]), freed)
