"""How many layers an aggregator looks at, so that the rest of a model need not be run."""

from __future__ import annotations

import numpy as np

from .aggregator import Aggregator

_FEW = ("early", "layer", "best")


def last_entry(aggregator: Aggregator) -> int:
    """Return the last entry of the layer axis that a score depends on: the number of blocks to run.

    Only strategies that are made to read few layers have less than all; weights of others may end in zeros by chance.
    """
    if aggregator.definition.reads == "strategy":
        return last_entry(Aggregator.from_json(aggregator.parameters["base"]))
    if aggregator.weights is None or aggregator.definition.weights not in _FEW:
        return aggregator.n_layers
    return int(np.flatnonzero(aggregator.weights)[-1])
