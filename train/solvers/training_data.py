"""Whether labelled read-outs can be trained on, and the unit their errors are measured in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.scale import Scale

# The released code holds its mixing parameter p at 0.5 over the only epoch and uses sigmoid(p).
RELEASED_ALPHA = 1.0 / (1.0 + math.exp(-0.5))
# A five-point scale's errors stay as they are; others are brought to its range.
_RANGE_OF_FIVE_POINTS = 4.0


def check_training_data(logits: NDArray[Any], human: NDArray[np.float64], scale: Scale) -> None:
    """Raise `LagerError` when weights cannot be fitted to these items."""
    check_labels(logits.shape, human, scale)
    if bad := int((~np.isfinite(logits).all(axis=(1, 2))).sum()):
        raise not_finite(bad, len(human))


def check_labels(shape: tuple[int, ...], human: NDArray[np.float64], scale: Scale) -> None:
    """Raise `LagerError` when weights cannot be fitted to human scores of read-outs of this shape."""
    if len(shape) != 3 or human.shape != shape[:1]:
        raise LagerError(
            f"read-outs of shape {shape} and human scores of shape {human.shape}: expected "
            "(n_items, n_layers + 1, n_labels) and (n_items,)"
        )
    if shape[2] != len(scale):
        raise LagerError(
            f"the read-outs have {shape[2]} labels and the scale {scale} has {len(scale)}: give the scale "
            "that the read-outs were made with"
        )
    if len(human) == 0:
        raise LagerError("there is no item with a human score to train on: add scores to the items, or give --scores")
    if bad := int((~np.isfinite(human)).sum()):
        raise LagerError(
            f"{bad} of {len(human)} human scores are not finite (NaN or infinite): drop the items without a score"
        )
    if len(human) == 1:
        raise LagerError("got 1 sample, one item with a human score, so there is nothing to learn: label more items")
    if (human == human[0]).all():
        raise LagerError(
            f"all {len(human)} human scores are {human[0]:g}, so there is nothing to learn: train on items that "
            "differ in score, or use a strategy that needs no training (lager, e-score)"
        )


def not_finite(bad: int, n: int) -> LagerError:
    """Return the error for read-outs that are NaN or infinite."""
    return LagerError(f"{bad} of {n} items have read-outs that are not finite (NaN or infinite): drop the invalid rows")


def check_weights(weight: NDArray[np.float64], n_items: int) -> None:
    """Raise `LagerError` unless these are weights of so many items."""
    if weight.shape != (n_items,) or not np.isfinite(weight).all() or (weight < 0.0).any() or not weight.any():
        raise LagerError(
            f"item weights must be {n_items} finite numbers, none negative and not all zero; got shape {weight.shape}"
        )


def unit_of(scale: Scale) -> float:
    """Return what errors are divided by."""
    return (scale.high - scale.low) / _RANGE_OF_FIVE_POINTS
