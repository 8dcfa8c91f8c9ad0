"""How many layers an aggregator looks at, so that the rest of a model need not be run."""

from __future__ import annotations

import numpy as np

from .aggregator import Aggregator


def last_entry(aggregator: Aggregator) -> int:
    """Return the last entry of the layer axis that a score depends on: the number of blocks to run.

    Strategies that are not weighted means of layers may look at all of them.
    """
    if aggregator.definition.reads == "strategy":
        return last_entry(Aggregator.from_json(aggregator.parameters["base"]))
    if aggregator.weights is None:
        return aggregator.n_layers
    return int(np.flatnonzero(aggregator.weights)[-1])
