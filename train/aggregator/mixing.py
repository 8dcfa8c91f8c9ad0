"""From read-outs and layer weights to a distribution over the labels, and from that to a score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.scale import Scale


def entropy(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of each row in nats, shape (n_rows,): 0 for certainty, the log of n_labels for a guess."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(proba == 0.0, 0.0, proba * np.log(proba))
    return np.asarray(np.abs(terms.sum(axis=1)))


# Rows worked on at once: few enough for the temporaries of 33 x 5 read-outs to stay in a core's cache.
_BLOCK_ROWS = 512


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the softmax over the last axis, without overflow."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def mix_logits(
    readout: NDArray[Any], weights: NDArray[np.float64], *, offset: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """Return ``softmax(sum_l w_l z^(l) + offset)``, the paper's aggregation.

    Parameters
    ----------
    readout : ndarray of shape (n_items, n_entries, n_labels)
    weights : ndarray of shape (n_entries,)
        Entries of weight zero are not looked at.
    offset : ndarray of shape (n_labels,) or (n_items, n_labels), or float
        Added to mixed logits.

    Returns
    -------
    ndarray of shape (n_items, n_labels)

    Raises
    ------
    LagerError
        When a mixed logit is not finite.
    """
    out = np.empty((readout.shape[0], readout.shape[2]))
    for rows, block, used in _blocks(readout, weights):
        out[rows] = np.matmul(used, block.astype(np.float64))
    require_finite(out)
    out += offset
    return softmax(out)


def mix_probabilities(
    readout: NDArray[Any],
    weights: NDArray[np.float64],
    *,
    offset: NDArray[np.float64] | None = None,
    second_softmax: bool = False,
) -> NDArray[np.float64]:
    """Return per-layer probabilities mixed by weight, ``sum_l w_l softmax(z^(l) + offset)``, normalised.

    Free weights can be negative and so can what they mix; such entries are cut at zero before normalising.

    Parameters
    ----------
    readout : ndarray of shape (n_items, n_entries, n_labels)
    weights : ndarray of shape (n_entries,)
    offset : ndarray of shape (n_items, n_labels), optional
        Added to an item's logits in every entry.
    second_softmax : bool
        Put the weighted sum through another softmax instead, as the authors' released code does.

    Returns
    -------
    ndarray of shape (n_items, n_labels)

    Raises
    ------
    LagerError
        When a logit is not finite, or the weights leave an item without any mass.
    """
    out = np.empty((readout.shape[0], readout.shape[2]))
    for rows, block, used in _blocks(readout, weights):
        with np.errstate(invalid="ignore"):  # an infinite logit becomes NaN here and is refused below
            out[rows] = _mixed_softmax(block if offset is None else block + offset[rows, None], used)
    require_finite(out)
    if second_softmax:
        return softmax(out)
    out = np.maximum(out, 0.0)
    total = out.sum(axis=1, keepdims=True)
    if not (total > 0.0).all():
        raise LagerError(
            "the layer weights leave some items without any probability (their sum is not positive): fit them with "
            "preset converged, whose weights are never negative"
        )
    return np.asarray(out / total)


def _mixed_softmax(block: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``sum_l w_l softmax(z^(l))`` of some rows, shape (n_rows, n_labels).

    Labels become the first axis: sums over the few of them run over whole rows, nine times faster than along them.
    """
    n_rows, n_entries, n_labels = block.shape
    proba = np.array(block.reshape(n_rows * n_entries, n_labels).T, dtype=np.float64, order="C")
    proba -= proba.max(axis=0)
    np.exp(proba, out=proba)
    proba /= proba.sum(axis=0)
    return np.asarray((proba.reshape(n_labels * n_rows, n_entries) @ weights).reshape(n_labels, n_rows).T)


def scale_position(scale: Scale) -> NDArray[np.float64]:
    """Return where each label's value lies on the scale, from -1 for the lowest to 1; shape (n_labels,)."""
    return (2.0 * scale.array - scale.low - scale.high) / (scale.high - scale.low)


def expected_value(proba: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``sum_s s P(s)``, shape (n_items,)."""
    return proba @ values


def most_likely_value(proba: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the value of the likeliest label, shape (n_items,); of equally likely labels the smallest value."""
    ascending = np.argsort(values, kind="stable")
    return values[ascending][proba[:, ascending].argmax(axis=1)]


def _blocks(
    readout: NDArray[Any], weights: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[Any], NDArray[np.float64]]]:
    """Yield row slices with their read-out and weights, without the entries that weigh nothing."""
    used = np.flatnonzero(weights)
    for first in range(0, readout.shape[0], _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        block = readout[rows] if len(used) == len(weights) else readout[rows][:, used]
        yield rows, block, weights[used]


def require_finite(mixed: NDArray[np.float64]) -> None:
    """Raise `LagerError` when a row cannot be scored."""
    finite = np.isfinite(mixed).all(axis=1)
    if not finite.all():
        raise LagerError(
            f"{(~finite).sum()} of {len(mixed)} items have read-outs that are not finite, NaN or infinite (the first "
            f"is row {int(np.argmin(finite))}), so they have no score: keep only the valid rows"
        )
