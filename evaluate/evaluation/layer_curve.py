"""Agreement of each layer alone, and of the layers up to one: where in the model the judgement is readable."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ...data.cache.feature_cache import FeatureCache
from ..agreement.agreement import evaluate_scores

_SCORES_AT_ONCE = 64_000_000  # scores of all entries that are kept at once: 512 MB

#: From read-outs of shape (n_items, n_entries, n_labels) to the logits that each entry is judged by.
Mixed = Callable[[NDArray[np.float64]], NDArray[np.float64]]


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
    return _curve(cache, lambda logits: logits, level=level, group=group, metric=metric)


def depth_curve(
    cache: FeatureCache, *, level: str, group: NDArray[np.object_] | None = None, metric: str = "spearman"
) -> list[float | None]:
    """Return a metric of the expectation under the uniform mean of entries 0 to m, for m from 0 to L.

    What the untrained `lager` would reach had the model stopped after m blocks: what early exit costs. None where
    undefined. Parameters as `layer_curve`.
    """
    return _curve(cache, _mean_up_to, level=level, group=group, metric=metric)


def _mean_up_to(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.cumsum(logits, axis=1) / np.arange(1, logits.shape[1] + 1)[:, None])


def _curve(
    cache: FeatureCache, mixed: Mixed, *, level: str, group: NDArray[np.object_] | None, metric: str
) -> list[float | None]:
    """Evaluate the expectation of every entry's logits, in ascending order."""
    curve: list[float | None] = []
    for scores in _scores_of_entries(cache, mixed):
        agreement = evaluate_scores(
            cache.mean_scores,
            {str(entry): values for entry, values in enumerate(scores)},
            group=group,
            system=cache.column("system"),
            level=level,
            metrics=(metric,),
            scale=cache.scale,
            resamples=0,
        )
        curve += [strategy.metrics[metric].estimate for strategy in agreement.strategies]
    return curve


def _scores_of_entries(cache: FeatureCache, mixed: Mixed) -> Iterator[NDArray[np.float64]]:
    """Yield the scores of some entries after the other, shape (n_entries, n_items); of most caches all at once."""
    readouts, rows = cache.readouts(), np.flatnonzero(cache.valid)
    n_entries = cache.n_layers + 1
    at_once = max(1, _SCORES_AT_ONCE // cache.n_items)
    for first in range(0, n_entries, at_once):
        last = min(first + at_once, n_entries)
        scores = np.full((last - first, cache.n_items), np.nan)
        for places, block in readouts.blocks(["logits"]):
            logits = mixed(block.logits[:, :last].astype(np.float64))[:, first:]
            scores[:, rows[places]] = (softmax(logits, axis=2) @ cache.scale.array).T
        yield scores
