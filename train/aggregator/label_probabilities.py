"""From a cumulative logit model, or probabilities of label values, to a distribution over the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.scale import Scale


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``1 / (1 + exp(-x))`` without overflow."""
    tail = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0.0, 1.0, tail) / (1.0 + tail))


def class_probabilities(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``P_k = sigmoid(theta_k - s) - sigmoid(theta_(k-1) - s)``, shape (n_items, n_classes)."""
    cuts = thresholds - scores[:, None]
    upper = np.pad(cuts, ((0, 0), (0, 1)), constant_values=np.inf)
    lower = np.pad(cuts, ((0, 0), (1, 0)), constant_values=-np.inf)
    # Where both are far above 0 both sigmoids round to 1; their complements still differ.
    return np.where(lower > 0.0, sigmoid(-lower) - sigmoid(-upper), sigmoid(upper) - sigmoid(lower))


def label_probabilities(
    scores: NDArray[np.float64], parameters: Mapping[str, Any], scale: Scale
) -> NDArray[np.float64]:
    """Return the probability of every label, shape (n_items, n_labels); labels of equal value share theirs."""
    by_class = class_probabilities(scores, np.array(parameters["thresholds"], dtype=np.float64))
    return spread_over_labels(by_class, parameters["classes"], scale)


def spread_over_labels(by_class: NDArray[np.float64], classes: Sequence[float], scale: Scale) -> NDArray[np.float64]:
    """Return probabilities of label values as those of labels: 0 for a value that is no class.

    Parameters
    ----------
    by_class : ndarray of shape (n_items, n_classes)
    classes : sequence of float
        The value of each class.
    """
    place = {value: index for index, value in enumerate(classes)}
    out = np.zeros((len(by_class), len(scale)))
    for label, value in enumerate(scale.values):
        if value in place:
            out[:, label] = by_class[:, place[value]] / scale.values.count(value)
    return out / out.sum(axis=1, keepdims=True)
