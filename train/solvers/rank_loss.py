"""A smooth rank correlation of the expected score with human ranks, with its gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mixture_loss import MixtureLoss, entry_sizes
from .rank_correlation import members, weighted_ranks

#: Width of the step from below to above another item, in standard deviations of the scores.
BANDWIDTH = 0.2
#: Items that all are compared with; more would cost time in proportion and change ranks by less than the step does.
MAX_ANCHORS = 128


@dataclass(frozen=True)
class MeanLoss:
    """The mean of several rank losses of the same layer weights: of groups, each counting alike."""

    parts: tuple[RankLoss, ...]
    entry_sizes: NDArray[np.float64]
    n_intercepts = 0  # of groups: only the order within a group counts

    @property
    def n_entries(self) -> int:
        """How many layer entries are weighted."""
        return len(self.entry_sizes)

    def sizes(self) -> NDArray[np.float64]:
        """Return the root mean square of each entry's logits, over all items."""
        return self.entry_sizes

    def __call__(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient with respect to the weights."""
        values, gradients = zip(*(one(weights) for one in self.parts), strict=True)
        return float(np.mean(values)), np.mean(gradients, axis=0)


@dataclass(frozen=True)
class RankLoss:
    """``1 - r`` of layer weights w: r is Pearson's correlation of soft ranks with the human mid-ranks.

    The soft rank of item i is ``R_i = mean_j sigmoid((E_i - E_j) / (h sd(E)))`` over anchor items j, so that r tends to
    Spearman's rho as the bandwidth h goes to 0 and the anchors are all items (soft ranks: Qin, Liu & Li 2010).

    Parameters
    ----------
    logits : ndarray of shape (n_entries, n_labels, n_items)
        As `label_major` lays them out.
    values : ndarray of shape (n_labels,)
    ranks : ndarray of shape (n_items,)
        Human mid-ranks with weighted mean 0 and weighted sum of squares 1.
    weight : ndarray of shape (n_items,)
        Sum 1.
    anchors : ndarray of shape (n_anchors,)
        Rows.
    """

    logits: NDArray[np.float64]
    values: NDArray[np.float64]
    ranks: NDArray[np.float64]
    weight: NDArray[np.float64]
    anchors: NDArray[np.intp]

    n_intercepts = 0

    @property
    def n_entries(self) -> int:
        """How many layer entries are weighted."""
        return len(self.logits)

    def sizes(self) -> NDArray[np.float64]:
        """Return the root mean square of each entry's logits, shape (n_entries,)."""
        return entry_sizes(self.logits)

    @classmethod
    def of(cls, loss: MixtureLoss) -> RankLoss:
        """Return the rank loss of the same items; anchors lie evenly in the order of the even mixture's scores."""
        n_entries, _, n_items = loss.logits.shape
        weight = np.full(n_items, 1.0) if not isinstance(loss.weight, np.ndarray) else loss.weight
        weight = weight / weight.sum()
        ranks = weighted_ranks(loss.human, weight)
        ranks = ranks - weight @ ranks
        order = np.argsort(loss.expected(np.full(n_entries, 1.0 / n_entries)), kind="stable")
        below = np.cumsum(weight[order])
        n_anchors = min(n_items, MAX_ANCHORS)
        places = np.searchsorted(below, (np.arange(n_anchors) + 0.5) / n_anchors * below[-1])
        return cls(loss.logits, loss.values, ranks / np.sqrt(weight @ ranks**2), weight, order[places])

    @classmethod
    def within_groups(cls, loss: MixtureLoss) -> MeanLoss:
        """Return the mean of the rank losses of each group whose human scores differ."""
        parts = [loss.take(rows) for rows in members(loss.group, loss.n_items)]
        return MeanLoss(tuple(cls.of(one) for one in parts if (one.human != one.human[0]).any()), loss.sizes())

    def __call__(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient with respect to the weights."""
        n_entries = self.logits.shape[0]
        flat = self.logits.reshape(n_entries, -1)
        mixed = (weights @ flat).reshape(self.logits.shape[1:])
        mixed -= mixed.max(axis=0)
        proba = np.exp(mixed)
        proba /= proba.sum(axis=0)
        expected = self.values @ proba
        centred = expected - self.weight @ expected
        deviation = np.sqrt(self.weight @ centred**2)
        if deviation <= 1e-12 * np.abs(self.values).max():
            return 1.0, np.zeros(n_entries)  # constant scores rank nothing, in no direction
        standard = centred / deviation
        correlation, by_standard = self._correlation(standard)
        by_expected = (by_standard - self.weight * standard * (by_standard @ standard)) / deviation
        by_expected -= self.weight * by_expected.sum()
        by_logit = (self.values[:, None] - expected) * proba * by_expected
        return 1.0 - correlation, -(flat @ by_logit.ravel())

    def _correlation(self, standard: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return r and its gradient with respect to the standardised scores."""
        steps = (standard - standard[self.anchors][:, None]) / (2.0 * BANDWIDTH)
        np.tanh(steps, out=steps)  # sigmoid(2x) = (1 + tanh x) / 2
        soft = steps.mean(axis=0)
        soft -= self.weight @ soft
        norm = np.sqrt(self.weight @ soft**2)
        correlation = float((self.weight * soft) @ self.ranks / norm)
        by_soft = self.weight * (self.ranks - correlation * soft / norm) / norm
        np.multiply(steps, steps, out=steps)
        np.subtract(1.0, steps, out=steps)
        steps *= 1.0 / (2.0 * BANDWIDTH * len(self.anchors))
        gradient = by_soft * steps.sum(axis=0)
        # An item may be the anchor of several places: add.at counts each.
        np.subtract.at(gradient, self.anchors, steps @ by_soft)
        return correlation, gradient
