"""Scores that a user gives, as arrays of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError


def as_numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return scores as floats; `what` names them for the message."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise LagerError(f"{what} must be numbers, NaN where there is none") from None


def finite_or_nan(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return scores as floats, none of them infinite."""
    out = as_numbers(values, what)
    if np.isinf(out).any():
        raise LagerError(f"{what} hold infinite values: leave those items out, or give NaN")
    return out
