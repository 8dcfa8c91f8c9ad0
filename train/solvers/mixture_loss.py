"""The training objective: cross-entropy and error of the score read from weighted logits, with its gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ErrorKind = Literal["squared", "absolute"]

#: On half the squares of intercepts, so that those of a label that a group never has do not run off.
_INTERCEPT_PENALTY = 1e-3


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

    ``z = sum_l w_l z^(l) + a_g``, where there are groups with an intercept for each of their labels (the bias of vector
    scaling; Guo et al. 2017). ``P = softmax(z)``, the score is ``E = sum_s s P(s)``; CE is the mean cross-entropy
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
    weight : ndarray of shape (n_items,) or 1
        How much each item counts; their mean is 1.
    group : ndarray of shape (n_items,), or None
        Number of the group within which an item is compared; None where all are compared with each other.
    n_groups : int
        0 without groups.
    """

    logits: NDArray[np.float64]
    targets: NDArray[np.float64]
    human: NDArray[np.float64]
    values: NDArray[np.float64]
    unit: float
    alpha: float
    error: ErrorKind
    weight: NDArray[np.float64] | float = 1.0
    group: NDArray[np.intp] | None = None
    n_groups: int = 0

    @property
    def n_entries(self) -> int:
        """How many layer entries are weighted."""
        return len(self.logits)

    @property
    def n_intercepts(self) -> int:
        """How many intercepts stand behind the weights in one array: those of each label, group after group."""
        return self.n_groups * len(self.values)

    @property
    def n_items(self) -> int:
        """The number of items."""
        return len(self.human)

    def sizes(self) -> NDArray[np.float64]:
        """Return the root mean square of each entry's logits, shape (n_entries,)."""
        return entry_sizes(self.logits)

    def take(self, rows: NDArray[np.intp]) -> MixtureLoss:
        """Return the loss of some items: one batch."""
        return replace(
            self,
            logits=self.logits.take(rows, axis=2),  # in order of memory, which indexing does not give: no copy later
            targets=self.targets.take(rows, axis=1),
            human=self.human[rows],
            weight=_of_rows(self.weight, rows),
            group=None if self.group is None else self.group[rows],
        )

    def first(self, n_entries: int) -> MixtureLoss:
        """Return the loss of mixtures of the first layer entries."""
        return replace(self, logits=self.logits[:n_entries])

    def mixed(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mixed logits of every item, shape (n_labels, n_items); intercepts may follow the weights."""
        n_entries, n_labels, n_items = self.logits.shape
        out = np.asarray((weights[:n_entries] @ self.logits.reshape(n_entries, -1)).reshape(n_labels, n_items))
        if self.group is not None and len(weights) > n_entries:
            out += weights[n_entries:].reshape(self.n_groups, n_labels).T[:, self.group]
        return out

    def expected(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return every item's expected score under the weights, shape (n_items,)."""
        return expected_scores(self.mixed(weights), self.values)

    def __call__(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient with respect to the weights, and the intercepts.

        Parameters
        ----------
        weights : ndarray of shape (n_entries,) or (n_entries + n_intercepts,)

        Returns
        -------
        loss : float
        gradient : ndarray of the same shape
        """
        n_entries, n_labels, n_items = self.logits.shape
        flat = self.logits.reshape(n_entries, n_labels * n_items)
        mixed = self.mixed(weights)
        mixed -= mixed.max(axis=0)
        proba = np.exp(mixed)
        total = proba.sum(axis=0)
        proba /= total
        targets = self.targets * self.weight if self._weighs else self.targets
        cross_entropy = (self.weight * np.log(total)).sum() - np.vdot(targets, mixed)
        expected = self.values @ proba
        residual = (expected - self.human) / self.unit
        if self.error == "squared":
            error, slope = np.vdot(self.weight * residual, residual), 2.0 * self.weight * residual
        else:
            error, slope = (self.weight * np.abs(residual)).sum(), self.weight * np.sign(residual)
        # d E / d z_k = P_k (s_k - E);  d CE / d z_k = P_k - target_k
        by_logit = self.values[:, None] - expected
        by_logit *= proba
        by_logit *= slope * ((1.0 - self.alpha) / (self.unit * n_items))
        by_logit += (self.alpha / n_items) * ((self.weight * proba if self._weighs else proba) - targets)
        loss = (self.alpha * cross_entropy + (1.0 - self.alpha) * error) / n_items
        gradient = flat @ by_logit.ravel()
        if self.group is None or len(weights) == n_entries:
            return float(loss), gradient
        intercepts = weights[n_entries:]
        by_label = [np.bincount(self.group, weights=row, minlength=self.n_groups) for row in by_logit]
        loss += _INTERCEPT_PENALTY / 2.0 * (intercepts @ intercepts)
        return float(loss), np.append(gradient, np.stack(by_label, axis=1).ravel() + _INTERCEPT_PENALTY * intercepts)

    @property
    def _weighs(self) -> bool:
        """Whether items count differently."""
        return isinstance(self.weight, np.ndarray)


def entry_sizes(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root mean square of each entry of label-major logits, shape (n_entries,)."""
    flat = logits.reshape(len(logits), -1)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", flat, flat) / flat.shape[1]))


def expected_scores(mixed: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``sum_s s softmax(z)_s`` of label-major logits, shape (n_items,)."""
    proba = np.exp(mixed - mixed.max(axis=0))
    return np.asarray(values @ proba / proba.sum(axis=0))


def _of_rows(weight: NDArray[np.float64] | float, rows: NDArray[np.intp]) -> NDArray[np.float64] | float:
    """Return the weights of some items, brought to mean 1 again."""
    if not isinstance(weight, np.ndarray):
        return weight
    kept = weight[rows]
    total = kept.mean()
    return kept / total if total > 0.0 else 1.0
