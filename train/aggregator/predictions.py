"""Scores of several aggregators from one pass over the read-outs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from .aggregator import Aggregator


def predict_all(
    aggregators: Mapping[str, Aggregator], readouts: Readouts, *, progress: Callable[[float], None] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return every aggregator's score of every item, from one pass over read-outs that are stored.

    What several strategies read their scores from, such as `lager` and `lager-max`, is mixed once.
    """
    names = {name for one in aggregators.values() if (name := one.dataset) is not None}
    out = {label: np.empty(len(readouts)) for label in aggregators}
    if aggregators:
        for places, block in readouts.blocks(sorted(names)):
            mixed: dict[object, NDArray[np.float64]] = {}
            for label, one in aggregators.items():
                if one.mixture is None:
                    out[label][places] = one.predict(block)
                    continue
                if one.mixture not in mixed:
                    mixed[one.mixture] = one.predict_proba(block)
                out[label][places] = one.pick(mixed[one.mixture], block.scale)
            if progress is not None:
                progress(places.stop / len(readouts))
    return out
