"""Agreement of each layer alone: where in the model the judgement is readable."""

from __future__ import annotations

import numpy as np

from ..data.cache import FeatureCache
from ..train.strategies import untrained
from .agreement import evaluate_scores


def layer_curve(cache: FeatureCache, *, level: str, metric: str = "spearman") -> list[float | None]:
    """Return a metric of the expectation of every layer entry alone, 0 to L; None where undefined.

    Parameters
    ----------
    cache : FeatureCache
        With human scores.
    level : {"pooled", "group", "system"}
    metric : str
        From `METRICS`.
    """
    readouts = cache.readouts()
    scores = {}
    for layer in range(cache.n_layers + 1):
        name = f"layer:{layer}"
        aggregator = untrained(name, n_layers=cache.n_layers, scale=cache.scale)
        scores[name] = np.full(cache.n_items, np.nan)
        scores[name][cache.valid] = aggregator.predict(readouts)
    agreement = evaluate_scores(
        cache.mean_scores,
        scores,
        group=cache.column("group"),
        system=cache.column("system"),
        level=level,
        metrics=(metric,),
        resamples=0,
    )
    return [strategy.metrics[metric].estimate for strategy in agreement.strategies]
