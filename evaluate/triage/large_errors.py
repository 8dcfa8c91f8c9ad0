"""Which errors are large: far from the human score, or, of a yes or no, the wrong one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.scale import Scale

DEFAULT_ERROR = 1.0
_ROUNDING = 1e-9


def error_for(asked: float | None, scale: Scale | None) -> float | None:
    """Return from which distance on an error is large, None for a wrong yes or no: a scale of two labels."""
    if asked is None:
        return None if scale is not None and len(scale) == 2 else DEFAULT_ERROR
    if not 0 < asked < np.inf:
        raise LagerError(f"error {asked:g}: expected a distance above 0 on the scale, such as 1")
    return asked


def large_errors(
    score: NDArray[np.float64], human: NDArray[np.float64], *, error: float | None, scale: Scale | None
) -> NDArray[np.float64]:
    """Return 1 where an error is large, else 0, NaN where a score is missing; shape (n_items,).

    Of a yes or no, a score on the other side of the scale's middle than the human mean; a mean in the middle, where
    people are of two minds, counts as an error of any score.
    """
    missing = np.isnan(score) | np.isnan(human)
    if error is not None:
        large = np.abs(score - human) >= error - _ROUNDING
    else:
        assert scale is not None
        middle = (scale.low + scale.high) / 2
        large = np.sign(score - middle) * np.sign(human - middle) <= 0
    return np.where(missing, np.nan, large.astype(np.float64))


def told(error: float | None) -> str:
    """Return what a large error is, in words."""
    return "a wrong yes or no" if error is None else f"an error of {error:g} or more"
