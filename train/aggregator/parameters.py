"""What each strategy has to have learnt before it can score; files are checked by it, whoever wrote them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ...data.errors import LagerError
from .strategy_names import Strategy, canonical


def check_parameters(definition: Strategy, name: str, parameters: Mapping[str, Any], shape: tuple[int, int]) -> None:
    """Raise `LagerError` unless these are parameters of the strategy.

    Parameters
    ----------
    shape : (int, int)
        n_layers + 1 and n_labels.
    """
    if name == "group-mean":
        means = parameters.get("group_means")
        numbers = [parameters.get("mean"), *(means.values() if isinstance(means, dict) else (None,))]
        if not all(is_number(x) and math.isfinite(x) for x in numbers):
            raise LagerError("group-mean needs a finite `mean` and an object `group_means` of finite numbers")
    elif definition.weights == "scaled":
        for key in ("slopes", "biases"):
            _need(is_vector(parameters.get(key), shape[0]), name, f"{shape[0]} finite `{key}`")
    elif definition.reads == "flattened":
        rows = parameters.get("coefficients")
        shaped = isinstance(rows, list) and len(rows) == shape[0] and all(is_vector(row, shape[1]) for row in rows)
        _need(shaped, name, f"`coefficients` for {shape[0]} x {shape[1]} logits")
        if definition.picks is None:
            _need(is_vector([parameters.get("intercept")], 1), name, "a finite `intercept`")
        else:
            _check_classes(name, parameters)
    elif definition.reads == "strategy":
        _check_curve(definition, name, parameters)
    elif definition.reads == "hidden":
        _check_probe(definition, name, parameters)


def is_number(value: object) -> bool:
    """Return whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_vector(value: object, length: int | None = None) -> bool:
    """Return whether a JSON value is a list of so many finite numbers."""
    right = isinstance(value, list) and length in {None, len(value)}
    return right and all(is_number(x) and math.isfinite(x) for x in value)  # type: ignore[attr-defined]


def _check_classes(name: str, parameters: Mapping[str, Any]) -> None:
    classes = _classes(name, parameters)
    thresholds: Any = parameters.get("thresholds")
    _need(is_vector(thresholds, len(classes) - 1) and _ascends(thresholds), name, "ascending `thresholds`")


def _classes(name: str, parameters: Mapping[str, Any]) -> list[float]:
    classes: Any = parameters.get("classes")
    _need(is_vector(classes) and len(classes) > 1 and _ascends(classes, strictly=True), name, "ascending `classes`")
    return list(classes)


def _check_curve(definition: Strategy, name: str, parameters: Mapping[str, Any]) -> None:
    base: Any = parameters.get("base")
    start: Any = parameters.get("from")
    end: Any = parameters.get("to")
    named = isinstance(base, dict) and isinstance(base.get("strategy"), str)
    _need(named and canonical(base["strategy"]) == canonical(definition.base or ""), name, "the `base` it is named for")
    _need(is_vector(start) and len(start) > 1 and _ascends(start, strictly=True), name, "an ascending list `from`")
    _need(is_vector(end, len(start)) and _ascends(end), name, "an ascending list `to` of the same length")


def _check_probe(definition: Strategy, name: str, parameters: Mapping[str, Any]) -> None:
    features, directions = parameters.get("features"), parameters.get("directions")
    named = isinstance(features, list) and bool(features) and all(_is_feature(one) for one in features)
    _need(named, name, "a list `features` of [pooling, layer]")
    if definition.head != "ridge":
        _classes(name, parameters)
    if definition.head == "ordinal":
        _check_classes(name, parameters)
    n_outputs = len(parameters["classes"]) if definition.head == "logistic" else 1
    _need(is_vector(parameters.get("offsets"), n_outputs), name, f"{n_outputs} finite `offsets`")
    shaped = isinstance(directions, list) and len(directions) == len(features or ())
    shaped = shaped and all(_is_matrix(one, n_outputs) for one in directions or ())
    _need(shaped, name, "`directions` for each of its features")


def _is_feature(value: object) -> bool:
    match value:
        case [str(), int(layer)] if not isinstance(layer, bool) and layer >= 0:
            return True
    return False


def _is_matrix(value: object, n_rows: int) -> bool:
    rows = value if isinstance(value, list) and len(value) == n_rows else []
    return bool(rows) and isinstance(rows[0], list) and all(is_vector(row, len(rows[0])) for row in rows)


def _ascends(values: Any, *, strictly: bool = False) -> bool:
    return all(a < b if strictly else a <= b for a, b in pairwise(values))


def _need(met: bool, name: str, what: str) -> None:
    if not met:
        raise LagerError(f"{name} needs {what}")
