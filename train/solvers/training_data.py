"""Whether labelled read-outs can be trained on, and the unit their errors are measured in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.scale import Scale

if TYPE_CHECKING:
    from ...data.cache.stored_readouts import StoredReadouts

# The released code holds its mixing parameter p at 0.5 over the only epoch and uses sigmoid(p).
RELEASED_ALPHA = 1.0 / (1.0 + math.exp(-0.5))
# A five-point scale's errors stay as they are; others are brought to its range.
_RANGE_OF_FIVE_POINTS = 4.0


class CountedItems(NamedTuple):
    """Labelled read-outs of the items that count."""

    logits: Any
    """ndarray of shape (n_items, n_entries, n_labels), or StoredReadouts."""
    human: NDArray[np.float64]
    target: NDArray[np.float64] | None
    weight: NDArray[np.float64] | float
    """With mean 1; 1 where all items count the same."""


def counted_items(
    logits: NDArray[Any] | StoredReadouts,
    human: NDArray[np.float64],
    *,
    scale: Scale,
    target: NDArray[np.float64] | None,
    weight: NDArray[np.float64] | None,
) -> CountedItems:
    """Return what a loss is made of, without the items of weight 0; their labels are checked, read-outs are not."""
    check_labels(logits.shape, human, scale)
    if weight is None:
        return CountedItems(logits, human, target, 1.0)
    check_weights(weight, len(human))
    counted = weight > 0.0
    kept = logits[counted] if isinstance(logits, np.ndarray) else logits.take(counted)
    check_labels(kept.shape, human[counted], scale)
    shares = weight[counted] / weight[counted].mean()
    return CountedItems(kept, human[counted], None if target is None else target[counted], shares)


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
