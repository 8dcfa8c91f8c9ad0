"""Strategies and aggregator files applied to all items of a cache, for comparisons that need no human scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.cache import FeatureCache
from ..data.errors import LagerError
from ..train.aggregator_file import check_applies, in_sample, load_aggregator
from ..train.strategies import Aggregator, untrained
from ..train.strategy_names import needs_fitting


def choose_aggregators(
    cache: FeatureCache, strategies: Sequence[str], files: Sequence[Path], *, force: bool
) -> tuple[dict[str, Aggregator], list[str]]:
    """Return what is to be applied to a cache, by name, and what the user should know, one line each.

    Parameters
    ----------
    cache : FeatureCache
    strategies : sequence of str
        Names of strategies that need no fitting.
    files : sequence of Path
        Aggregator files.
    force : bool
        Apply aggregators of other read-outs anyway.

    Raises
    ------
    LagerError
        When a strategy needs fitting, or an aggregator does not apply.
    """
    chosen: dict[str, Aggregator] = {}
    notes: list[str] = []
    for name in strategies:
        if needs_fitting(name):
            raise LagerError(f"{name} needs fitting: give an aggregator file of it with --aggregator")
        chosen[name] = untrained(name, n_layers=cache.n_layers, scale=cache.scale)
    for path in files:
        record = load_aggregator(path)
        notes += [f"{path}: {note}" for note in check_applies(record, cache, force=force)]
        name = record.aggregator.strategy
        name = f"{name}@{path.stem}" if name in chosen else name
        if name in chosen:
            raise LagerError(f"two aggregators would both be called {name}: rename one of the files")
        if seen := int(in_sample(record, cache.prompt_keys()).sum()):
            notes.append(f"{name}: in-sample, {seen} of {cache.n_items} items are among its training items")
        chosen[name] = record.aggregator
    return chosen, notes


def scores_and_distributions(
    cache: FeatureCache, aggregators: Mapping[str, Aggregator]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64] | None]]:
    """Return for each its scores, shape (n_items,), and distributions over the labels, shape (n_items, n_labels).

    Both are NaN in rows that are not valid; the distribution is None for strategies without one.
    """
    readouts, valid = cache.readouts(), np.flatnonzero(cache.valid)
    out = {}
    for name, aggregator in aggregators.items():
        score = np.full(cache.n_items, np.nan)
        proba = np.full((cache.n_items, len(cache.scale)), np.nan) if aggregator.has_proba else None
        dataset = aggregator.dataset
        for places, block in readouts.blocks([] if dataset is None else [dataset]):
            score[valid[places]] = aggregator.predict(block)
            if proba is not None:
                proba[valid[places]] = aggregator.predict_proba(block)
        out[name] = (score, proba)
    return out
