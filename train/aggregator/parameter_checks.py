"""Checks of what a strategy has learnt; files are read by them, whoever wrote them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ...data.errors import LagerError


def need(met: bool, name: str, what: str) -> None:
    """Raise `LagerError` unless a strategy has what it scores by."""
    if not met:
        raise LagerError(f"{name} needs {what}")


def is_number(value: object) -> bool:
    """Return whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_vector(value: object, length: int | None = None) -> bool:
    """Return whether a JSON value is a list of so many finite numbers."""
    right = isinstance(value, list) and length in {None, len(value)}
    return right and all(is_number(x) and math.isfinite(x) for x in value)  # type: ignore[attr-defined]


def is_matrix(value: object, n_rows: int, n_columns: int | None = None) -> bool:
    """Return whether a JSON value is a list of so many vectors of one length."""
    if not isinstance(value, list) or len(value) != n_rows or not value or not isinstance(value[0], list):
        return False
    return all(is_vector(row, len(value[0]) if n_columns is None else n_columns) for row in value)


def ascends(values: Any, *, strictly: bool = False) -> bool:
    """Return whether numbers come in ascending order."""
    return all(a < b if strictly else a <= b for a, b in pairwise(values))


def checked_classes(name: str, parameters: Mapping[str, Any]) -> list[float]:
    """Return the label values that a strategy gives probability to, or raise `LagerError`."""
    classes: Any = parameters.get("classes")
    need(is_vector(classes) and len(classes) > 1 and ascends(classes, strictly=True), name, "ascending `classes`")
    return list(classes)


def check_thresholds(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise `LagerError` unless there is an ascending threshold between each two classes."""
    classes = checked_classes(name, parameters)
    thresholds: Any = parameters.get("thresholds")
    need(is_vector(thresholds, len(classes) - 1) and ascends(thresholds), name, "ascending `thresholds`")
