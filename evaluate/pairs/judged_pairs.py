"""Preferences of several strategies on the pairs of a cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ...data.cache.feature_cache import FeatureCache
from ..agreement.intervals import NO_RESAMPLES
from ..evaluation.applied import choose_aggregators, scores_and_distributions
from .pair_agreement import FIGURES, PairEstimate, pair_agreement
from .preferences import Preferences, preferences
from .read_pairs import Pairs, read_pairs


class JudgedPairs(NamedTuple):
    """What `judge_pairs` returns.

    Attributes
    ----------
    pairs : Pairs
    preferences : dict of str to Preferences
        By strategy.
    figures : dict of str to dict of str to PairEstimate
        By strategy and name of `FIGURES`.
    notes : list of str
        What the user should know, one line each.
    """

    pairs: Pairs
    preferences: dict[str, Preferences]
    figures: dict[str, dict[str, PairEstimate]]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the figures, in JSON types."""
        pairs = self.pairs
        return {
            "layout": pairs.layout,
            "pairs": len(pairs),
            "without_preferred": int(np.isnan(pairs.preferred).sum()),
            "human_ties": int((pairs.preferred == 0.5).sum()),
            "groups": 0 if pairs.group is None else len(set(pairs.group)),
            "strategies": [
                {"strategy": name, "scored": self.n_scored(name),
                 "figures": {figure: value._asdict() for figure, value in figures.items()}}
                for name, figures in self.figures.items()
            ],
            "meaning": FIGURES,
            "notes": self.notes,
        }  # fmt: skip

    def n_scored(self, strategy: str) -> int:
        """Return the number of pairs in which both items have a score."""
        return int((~np.isnan(self.preferences[strategy].pick)).sum())

    def table(self) -> pl.DataFrame:
        """Return one row a strategy and pair: what was picked, with what probability; null without a score."""
        pairs = self.pairs
        columns: list[pl.DataFrame] = []
        for name, found in self.preferences.items():
            one = {"strategy": [name] * len(pairs), "pair": pairs.name.tolist(), "preferred": pairs.preferred,
                   "pick": found.pick, "probability": found.probability}  # fmt: skip
            columns.append(pl.DataFrame(one, schema_overrides={"pair": pl.String}))
        return pl.concat(columns).with_columns(pl.selectors.float().fill_nan(None))


def judge_pairs(
    cache: FeatureCache,
    strategies: Sequence[str] = ("e-score", "lager"),
    *,
    aggregators: Sequence[Path] = (),
    resamples: int = 1000,
    seed: int = 42,
    force: bool = False,
) -> JudgedPairs:
    """Find which of two responses strategies prefer, and how far people agree."""
    pairs = read_pairs(cache)
    chosen, notes = choose_aggregators(cache, strategies, aggregators, force=force)
    scored = scores_and_distributions(cache, chosen)
    found = {name: preferences(pairs, score, proba, scale=cache.scale) for name, (score, proba) in scored.items()}
    figures = {name: pair_agreement(pairs, one, resamples=resamples, seed=seed) for name, one in found.items()}
    result = JudgedPairs(pairs, found, figures, notes)
    for name in found:
        if left := len(pairs) - result.n_scored(name):
            notes.append(f"{name}: {left} of {len(pairs)} pairs have an item without a score and are left out")
    if pairs.n_shared:
        notes.append(f"{pairs.n_shared} prompts are in several pairs: pairs that share one are one cluster")
    if unknown := int(np.isnan(pairs.preferred).sum()):
        notes.append(f"{unknown} of {len(pairs)} pairs have no `preferred`: no figure that needs it is of them")
    return result._replace(notes=notes + _without_interval(figures))


def _without_interval(figures: Mapping[str, Mapping[str, PairEstimate]]) -> list[str]:
    """Return a note for each strategy and reason why figures have no interval, but for that none was asked for."""
    notes = []
    for strategy, of_strategy in figures.items():
        reasons = {figure.reason: None for figure in of_strategy.values() if figure.reason not in (None, NO_RESAMPLES)}
        for reason in reasons:
            names = [name for name, figure in of_strategy.items() if figure.reason == reason]
            notes.append(f"{strategy}: no interval of {', '.join(names)}: {reason}")
    return notes
