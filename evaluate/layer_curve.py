"""Agreement of each layer alone, and of the layers up to one: where in the model the judgement is readable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..data.cache import FeatureCache
from ..data.readouts import Readouts
from ..train.strategies import untrained
from .agreement import evaluate_scores


def layer_curve(
    cache: FeatureCache, *, level: str, group: NDArray[np.object_] | None = None, metric: str = "spearman"
) -> list[float | None]:
    """Return a metric of the expectation of every layer entry alone, 0 to L; None where undefined.

    Parameters
    ----------
    cache : FeatureCache
        With human scores.
    level : {"pooled", "group", "system"}
    group : ndarray of shape (n_items,), optional
        What agreement is averaged over.
    metric : str
        From `METRICS`.
    """

    def score(readouts: Readouts, entry: int) -> NDArray[np.float64]:
        return untrained(f"layer:{entry}", n_layers=cache.n_layers, scale=cache.scale).predict(readouts)

    return _curve(cache, score, level=level, group=group, metric=metric)


def depth_curve(
    cache: FeatureCache, *, level: str, group: NDArray[np.object_] | None = None, metric: str = "spearman"
) -> list[float | None]:
    """Return a metric of the expectation under the uniform mean of entries 0 to m, for m from 0 to L.

    What the untrained `lager` would reach had the model stopped after m blocks: what early exit costs. None where
    undefined. Parameters as `layer_curve`.
    """
    total: NDArray[np.float64] | None = None

    def score(readouts: Readouts, entry: int) -> NDArray[np.float64]:
        nonlocal total
        logits = readouts.logits[:, entry].astype(np.float64)
        total = logits if total is None else total + logits
        return np.asarray(softmax(total / (entry + 1), axis=1) @ cache.scale.array)

    return _curve(cache, score, level=level, group=group, metric=metric)


def _curve(
    cache: FeatureCache,
    score: Callable[[Readouts, int], NDArray[np.float64]],
    *,
    level: str,
    group: NDArray[np.object_] | None,
    metric: str,
) -> list[float | None]:
    """Evaluate a score for each layer entry, in ascending order."""
    readouts = cache.readouts()
    scores = {}
    for entry in range(cache.n_layers + 1):
        scores[str(entry)] = np.full(cache.n_items, np.nan)
        scores[str(entry)][cache.valid] = score(readouts, entry)
    agreement = evaluate_scores(
        cache.mean_scores,
        scores,
        group=group,
        system=cache.column("system"),
        level=level,
        metrics=(metric,),
        scale=cache.scale,
        resamples=0,
    )
    return [strategy.metrics[metric].estimate for strategy in agreement.strategies]
