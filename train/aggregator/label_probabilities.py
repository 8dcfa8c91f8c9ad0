"""From the linear score of a cumulative logit model to a distribution over the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ...data.scale import Scale
from ..solvers.cumulative_logit import class_probabilities
from .mixing import require_finite, softmax


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


def probe_outputs(readouts: Readouts, parameters: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the linear outputs, shape (n_items, n_outputs).

    Raises
    ------
    LagerError
        Where the hidden states are missing, of another size, or not finite.
    """
    out = np.tile(np.array(parameters["offsets"], dtype=np.float64), (len(readouts), 1))
    for (pooling, layer), directions in zip(parameters["features"], parameters["directions"], strict=True):
        states = readouts.hidden.get(pooling)
        if states is None:
            raise LagerError(
                f"the probe reads hidden states of pooling {pooling}, and the read-outs have "
                f"{', '.join(sorted(readouts.hidden)) or 'none'}: extract with --features hidden --pooling {pooling}"
            )
        matrix = np.array(directions, dtype=np.float64)
        if layer >= states.shape[1] or matrix.shape[1] != states.shape[2]:
            raise LagerError(
                f"the probe was fitted on {matrix.shape[1]} dimensions of entry {layer}, the hidden states have "
                f"{states.shape[2]} in {states.shape[1]} entries: train it on hidden states of the same model"
            )
        out += states[:, layer].astype(np.float64) @ matrix.T
    require_finite(out)
    return out


def probe_probabilities(readouts: Readouts, parameters: Mapping[str, Any], scale: Scale) -> NDArray[np.float64]:
    """Return the distribution over the labels under an ordinal or logistic head, shape (n_items, n_labels)."""
    outputs = probe_outputs(readouts, parameters)
    if "thresholds" in parameters:
        return label_probabilities(outputs[:, 0], parameters, scale)
    return spread_over_labels(softmax(outputs), parameters["classes"], scale)
