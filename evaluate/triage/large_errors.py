"""Which errors are large: far from the human score, or, of a yes or no, the wrong one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.scale import Scale

DEFAULT_ERROR = 1.0
_ROUNDING = 1e-9


def error_for(
    asked: float | None, scale: Scale | None, labels: NDArray[np.float64], scores: NDArray[np.float64]
) -> tuple[float | None, Scale | None]:
    """Return from which distance on an error is large, None for a wrong yes or no, and the scale.

    Without a scale labels that are only 0 and 1 are a yes or no. `LagerError` for a distance that hardly can occur.
    """
    if asked is not None and not 0 < asked < np.inf:
        raise LagerError(f"error {asked:g}: expected a distance above 0 on the scale, such as 1")
    if scale is None and _yes_or_no(labels, scores):
        scale = Scale.parse("0-1")
    if asked is None and scale is not None and len(scale) == 2:
        return None, scale
    error = DEFAULT_ERROR if asked is None else asked
    known = np.concatenate([labels, scores]) if scale is None else scale.array
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    if error >= high - low:
        whose = "of labels and scores" if scale is None else "of the scale"
        raise LagerError(
            f"error {error:g}: no error, or only the largest there can be, reaches it on the range {whose}, {low:g} to "
            f"{high:g}, and a judge that is always wrong would pass: state --error as a smaller distance"
        )
    return error, scale


def _yes_or_no(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> bool:
    """Return whether labels are only 0 and 1; of one of the two alone, scores must lie between them."""
    given = set(labels[~np.isnan(labels)].tolist())
    known = scores[~np.isnan(scores)]
    return given == {0.0, 1.0} or (len(given) == 1 and given < {0.0, 1.0} and bool(((known >= 0) & (known <= 1)).all()))


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
