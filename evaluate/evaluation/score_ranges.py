"""The lowest and highest score of each judge, of which a threshold may be a share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...data.scale import Scale
from ...train.aggregator.aggregator import Aggregator
from ...train.aggregator.predictions import predict_all

Range = tuple[float, float]
SOURCES = ("train", "scale", "test")
#: Metrics that a threshold on the judge's score decides.
THRESHOLDED = ("f1", "precision", "recall")


def choose_source(source: str | None, *, train: bool) -> str:
    """Return where ranges are taken from: ``train`` where there is training data, else ``scale``, unless named."""
    if source is None:
        return "train" if train else "scale"
    if source not in SOURCES:
        raise LagerError(f"--threshold-range {source}: choose from {', '.join(SOURCES)}")
    if source == "train" and not train:
        raise LagerError("--threshold-range train needs the training data: give --train CACHE, or take scale or test")
    return source


def ranges_on(
    cache: FeatureCache, aggregators: Mapping[str, Sequence[Aggregator]], *, scale: Scale
) -> dict[str, Range]:
    """Return each strategy's range on the labelled items of a cache."""
    readouts = cache.readouts()
    labelled = readouts.take(np.flatnonzero(np.isfinite(readouts.human)))
    found = ranges_of(predict_all({name: one for name, (one,) in aggregators.items()}, labelled))
    step = (scale.high - scale.low) / (cache.scale.high - cache.scale.low)
    return {
        name: (scale.low + step * (low - cache.scale.low), scale.low + step * (high - cache.scale.low))
        for name, (low, high) in found.items()
    }


def ranges_of(scores: Mapping[str, NDArray[np.float64]]) -> dict[str, Range]:
    """Return lowest and highest of each judge's scores, NaN left out; none for a judge whose scores do not vary."""
    given = {name: values[np.isfinite(values)] for name, values in scores.items()}
    return {
        name: (float(values.min()), float(values.max()))
        for name, values in given.items()
        if len(values) and values.min() < values.max()
    }


def threshold_note(shown: Sequence[str], source: str, threshold: float) -> list[str]:
    """Say what the threshold is a share of, where the table shows a metric that depends on it."""
    if not set(shown) & set(THRESHOLDED):
        return []
    of = {
        "train": "each judge's own range of scores on the training data",
        "scale": "the scale",
        "test": "each judge's own range of scores on these very items",
    }
    return [f"F1, precision and recall: a yes is a score of at least {threshold:g} of {of[source]}"]
