"""Scores of a fitted probe: a linear map of hidden states, then the head's own step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.errors import LagerError
from ..data.readouts import Readouts
from ..data.scale import Scale
from .label_probabilities import label_probabilities, spread_over_labels
from .mixing import require_finite, softmax


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
