"""The training objective: cross-entropy and error of the score read from weighted logits, with its gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ErrorKind = Literal["squared", "absolute"]


def label_major(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Centre logits and lay them out for two matrix-vector products per evaluation.

    A constant added to all labels of one item and layer changes no softmax; removing it keeps raw early
    layers, whose logits can be large, from costing precision.

    Parameters
    ----------
    logits : ndarray of shape (n_items, n_entries, n_labels)

    Returns
    -------
    ndarray of shape (n_entries, n_labels, n_items)
        Items are the contiguous axis, so that sums over the few labels run over whole rows.
    """
    n_items, n_entries, n_labels = logits.shape
    laid_out = np.empty((n_entries, n_labels, n_items))
    for entry in range(n_entries):
        block = logits[:, entry, :].astype(np.float64)
        laid_out[entry] = (block - block.mean(axis=1, keepdims=True)).T
    return laid_out


@dataclass(frozen=True)
class MixtureLoss:
    """``alpha * CE + (1 - alpha) * error`` of layer weights w, the paper's loss.

    ``z = sum_l w_l z^(l)``, ``P = softmax(z)``, the score is ``E = sum_s s P(s)``; CE is the mean cross-entropy
    of the targets under P, the error the mean of ``((E - human) / unit)^2`` or of its absolute value.

    Parameters
    ----------
    logits : ndarray of shape (n_entries, n_labels, n_items)
        As `label_major` lays them out.
    targets : ndarray of shape (n_labels, n_items)
        Target distribution of each item.
    human : ndarray of shape (n_items,)
        Target score.
    values : ndarray of shape (n_labels,)
    unit : float
        What errors are divided by, in units of the scale.
    alpha : float
        Share of the cross-entropy, in [0, 1].
    error : {"squared", "absolute"}
    """

    logits: NDArray[np.float64]
    targets: NDArray[np.float64]
    human: NDArray[np.float64]
    values: NDArray[np.float64]
    unit: float
    alpha: float
    error: ErrorKind

    def take(self, rows: NDArray[np.intp]) -> MixtureLoss:
        """Return the loss of some items: one batch."""
        return MixtureLoss(
            self.logits[:, :, rows],
            self.targets[:, rows],
            self.human[rows],
            self.values,
            self.unit,
            self.alpha,
            self.error,
        )

    def __call__(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient with respect to the weights.

        Parameters
        ----------
        weights : ndarray of shape (n_entries,)

        Returns
        -------
        loss : float
        gradient : ndarray of shape (n_entries,)
        """
        n_entries, n_labels, n_items = self.logits.shape
        flat = self.logits.reshape(n_entries, n_labels * n_items)
        mixed = (weights @ flat).reshape(n_labels, n_items)
        mixed -= mixed.max(axis=0)
        proba = np.exp(mixed)
        total = proba.sum(axis=0)
        proba /= total
        cross_entropy = np.log(total).sum() - np.vdot(self.targets, mixed)
        expected = self.values @ proba
        residual = (expected - self.human) / self.unit
        if self.error == "squared":
            error, slope = np.vdot(residual, residual), 2.0 * residual
        else:
            error, slope = np.abs(residual).sum(), np.sign(residual)
        # d E / d z_k = P_k (s_k - E);  d CE / d z_k = P_k - target_k
        by_logit = self.values[:, None] - expected
        by_logit *= proba
        by_logit *= slope * ((1.0 - self.alpha) / (self.unit * n_items))
        by_logit += (self.alpha / n_items) * (proba - self.targets)
        loss = (self.alpha * cross_entropy + (1.0 - self.alpha) * error) / n_items
        return float(loss), flat @ by_logit.ravel()
