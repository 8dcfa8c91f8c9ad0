"""`probe`: pooled hidden states of a few layers, reduced by PCA, under a linear head (INSPECTOR, arXiv 2601.22588)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.group_intercepts import check_intercepts, item_intercepts, named_intercepts
from ..aggregator.label_probabilities import label_probabilities, spread_over_labels
from ..aggregator.mixing import require_finite, softmax
from ..aggregator.parameter_checks import check_thresholds, checked_classes, is_matrix, is_vector, need
from ..aggregator.strategy import Fitted, Learnt, Strategy

if TYPE_CHECKING:
    from ..solvers.ridge_path import RidgePath

HEADS = ("ridge", "ordinal", "logistic")


@dataclass(frozen=True)
class Probe(Strategy):
    """A linear head on the concatenated layers and poolings that predict left-out clusters best, see `choose_states`.

    Components are found on all training items, without their scores.

    Parameters
    ----------
    head : {"ridge", "ordinal", "logistic"}
        ``probe`` alone has the first.
    """

    key: str = "probe"
    summary: str = "pooled hidden states, reduced, ridge head"
    head: str = HEADS[0]
    forms = tuple(f"probe:{head}" for head in HEADS)
    needs = frozenset({"labels", "hidden"})
    bound_to_scale = True
    chooses_by_clusters = True

    @property
    def argument(self) -> str:
        """The head, unless it is the first."""
        return "" if self.head == HEADS[0] else self.head

    def with_argument(self, text: str) -> Probe | None:
        """Return the probe with a head."""
        if text not in HEADS:
            return None
        return replace(self, head=text, summary=f"pooled hidden states, reduced, {text} head")

    @property
    def picks(self) -> Literal["expectation"] | None:
        """The expectation, where the head gives a distribution."""
        return None if self.head == "ridge" else "expectation"

    def poolings(self, fitted: Fitted) -> tuple[str, ...]:
        """Return the poolings of the chosen layers."""
        return tuple(dict.fromkeys(pooling for pooling, _ in fitted.parameters["features"]))

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Choose layers, poolings and the penalty, and fit the head."""
        from ..solvers.freed_columns import FreedColumns
        from ..solvers.principal_components import choose_states
        from ..solvers.ridge_path import RidgePath
        from ..solvers.training_data import check_training_data
        from ..solvers.training_items import checked_clusters, item_weights

        check_hidden(train)
        check_training_data(train.logits, train.human, train.scale)
        clusters = checked_clusters(train, strategy=self.name)
        weight = item_weights(train)
        freed = FreedColumns.of(train, weight)
        chosen = choose_states(train.hidden, train.human, weight, clusters, beside=freed.columns)
        columns = np.concatenate([*(one.columns for one in chosen), freed.columns], axis=1)
        path = RidgePath.of(columns, train.human, weight, clusters)
        penalty, error = path.best()
        outputs, offsets, more = _fit_head(self.head, train, columns, path, penalty)
        directions, at = [], 0
        for one in chosen:
            ours = outputs[:, at : at + len(one.directions)] @ one.directions
            at += len(one.directions)
            offsets = offsets - ours @ one.mean
            directions.append(ours.tolist())
        intercepts, constant = freed.intercepts(outputs[:, at:])
        offsets = offsets + constant
        parameters = {
            "features": [[one.pooling, one.layer] for one in chosen],
            "directions": directions,
            "offsets": offsets.tolist(),
            **more,
            **named_intercepts(freed.names, intercepts),
        }
        training = {"n": len(train), "components": at, "penalty": penalty, "left_out_rmse": error**0.5}
        return Learnt(None, parameters, training)

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless there is a direction for each feature and output of the head."""
        super().check(fitted)
        features, directions = fitted.parameters.get("features"), fitted.parameters.get("directions")
        named = isinstance(features, list) and bool(features) and all(_is_feature(one) for one in features)
        need(named, self.name, "a list `features` of [pooling, layer]")
        n_outputs = 1
        if self.head == "logistic":
            n_outputs = len(checked_classes(self.name, fitted.parameters))
        if self.head == "ordinal":
            check_thresholds(self.name, fitted.parameters)
        need(is_vector(fitted.parameters.get("offsets"), n_outputs), self.name, f"{n_outputs} finite `offsets`")
        shaped = isinstance(directions, list) and len(directions) == len(features or ())
        shaped = shaped and all(is_matrix(one, n_outputs) for one in directions or ())
        need(shaped, self.name, "`directions` for each of its features")
        check_intercepts(self.name, fitted.parameters, n_outputs)

    def predict(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the ridge head's output, or the expectation."""
        return super().predict(fitted, readouts) if self.picks else self._outputs(fitted, readouts)[:, 0]

    def predict_proba(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the distribution over the labels under an ordinal or logistic head."""
        if self.picks is None:
            return super().predict_proba(fitted, readouts)
        outputs = self._outputs(fitted, readouts)
        if self.head == "ordinal":
            return label_probabilities(outputs[:, 0], fitted.parameters, fitted.scale)
        return spread_over_labels(softmax(outputs), fitted.parameters["classes"], fitted.scale)

    def _outputs(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the head's linear outputs, shape (n_items, n_outputs)."""
        parameters = fitted.parameters
        out = np.tile(np.array(parameters["offsets"], dtype=np.float64), (len(readouts), 1))
        for (pooling, layer), directions in zip(parameters["features"], parameters["directions"], strict=True):
            states = readouts.hidden.get(pooling)
            if states is None:
                raise LagerError(
                    f"the probe reads hidden states of pooling {pooling}, and the read-outs have "
                    f"{', '.join(sorted(readouts.hidden)) or 'none'}: extract with --features hidden "
                    f"--pooling {pooling}"
                )
            matrix = np.array(directions, dtype=np.float64)
            if layer >= states.shape[1] or matrix.shape[1] != states.shape[2]:
                raise LagerError(
                    f"the probe was fitted on {matrix.shape[1]} dimensions of entry {layer}, the hidden states have "
                    f"{states.shape[2]} in {states.shape[1]} entries: train it on hidden states of the same model"
                )
            out += states[:, layer].astype(np.float64) @ matrix.T
        out += item_intercepts(parameters, readouts)
        require_finite(out)
        return out


def check_hidden(train: Readouts) -> None:
    """Raise `LagerError` unless every item has finite hidden states."""
    if not train.hidden:
        raise LagerError("probe needs hidden states, and these read-outs have none: extract with --features hidden")
    for pooling, states in train.hidden.items():
        if states.ndim != 3 or len(states) != len(train):
            raise LagerError(
                f"hidden states of pooling {pooling} have shape {states.shape}, expected ({len(train)}, L + 1, d)"
            )
        if bad := int((~np.isfinite(states).all(axis=(1, 2))).sum()):
            raise LagerError(
                f"{bad} of {len(train)} items have hidden states that are not finite: drop the invalid rows"
            )


def _is_feature(value: object) -> bool:
    """Return whether a JSON value names a pooling and a layer."""
    match value:
        case [str(), int(layer)] if not isinstance(layer, bool) and layer >= 0:
            return True
    return False


def _fit_head(
    head: str, train: Readouts, columns: NDArray[np.float64], path: RidgePath, penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, Any]]:
    """Return a head's coefficients (n_outputs, n_columns), offsets (n_outputs,), and what else it needs to score."""
    from ..solvers.cumulative_logit import LOGISTIC_VARIANCE, fit_cumulative_logit
    from ..solvers.softmax_regression import fit_softmax_regression
    from ..solvers.training_items import class_targets, item_weights

    weight = item_weights(train)
    if head == "ridge":
        return path.coefficients(penalty)[None], np.array([weight @ train.human]), {}
    values, targets = class_targets(train)
    if head == "ordinal":
        fit = fit_cumulative_logit(columns, targets, weight, penalty / LOGISTIC_VARIANCE)
        more = {"thresholds": fit.thresholds.tolist(), "classes": values.tolist()}
        return fit.coefficients[None], np.zeros(1), more
    coefficients, offsets = fit_softmax_regression(columns, targets, weight, penalty / LOGISTIC_VARIANCE)
    return coefficients, offsets, {"classes": values.tolist()}
