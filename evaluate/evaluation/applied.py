"""Aggregators as they are, untrained or from files, applied to a cache: which ones, and their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...train.aggregator.aggregator import Aggregator
from ...train.files.aggregator_file import in_sample, load_aggregator
from ...train.files.applies import check_applies
from ...train.strategies.fit import untrained
from ...train.strategies.registry import needs_fitting
from .unseen_groups import unseen_groups


def choose_aggregators(
    cache: FeatureCache, strategies: Sequence[str], files: Sequence[Path], *, force: bool
) -> tuple[dict[str, Aggregator], list[str]]:
    """Return what is to be applied to a cache, by name, and what the user should know, one line each."""
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
    notes += unseen_groups({name: [one] for name, one in chosen.items()}, cache, cache.column("group"))
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
