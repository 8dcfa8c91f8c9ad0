"""An evaluation: the figures, the scores behind them, and all that a reader has to know about both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...data.items.item_table import mean_scores
from ...data.scale import Scale
from ..agreement.grouping import group_column
from ..agreement.result import Agreement
from ..metrics.metrics import SHOWN
from .scoring import StrategyScores

if TYPE_CHECKING:
    from ...data.cache.feature_cache import FeatureCache
    from ...train.aggregator.aggregator import Aggregator
    from .requirements import Checked

_FEW_CLUSTERS = 50


@dataclass(frozen=True)
class Evaluation:
    """Agreement of strategies and other judges with human scores.

    Parameters
    ----------
    agreement : Agreement
        The figures.
    scored : tuple of StrategyScores
        The scores behind them, in the same order.
    items : polars.DataFrame
        item_id, scores, group, cluster, system of the items, and ``text`` where it was kept.
    scale : Scale or None
        The score scale, where it is known.
    about : mapping
        What was evaluated, for results.json and the report; JSON types only.
    shown : tuple of str
        The metrics of the table.
    skipped : mapping of str to str
        Strategies without figures, and why.
    notes : tuple of str
        What a reader should know.
    cache : FeatureCache or None
        What was evaluated, where it was a cache.
    aggregators : mapping of str to sequence of Aggregator
        What scored, by strategy: one, or one for each fold.
    fold : ndarray of shape (n_items,), or None
        The fold in which each item was left out, from 1, 0 for none; None where nothing was fitted by folds.
    requirements : tuple of Checked
        What it had to reach, with what was found.
    partial : Agreement or None
        Correlations with the prompt's length partialled out, where these were asked for.
    """

    agreement: Agreement
    scored: tuple[StrategyScores, ...]
    items: pl.DataFrame
    scale: Scale | None
    about: Mapping[str, Any]
    shown: tuple[str, ...] = SHOWN
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    cache: FeatureCache | None = None
    aggregators: Mapping[str, Sequence[Aggregator]] = field(default_factory=dict)
    fold: NDArray[np.intp] | None = None
    requirements: tuple[Checked, ...] = ()
    partial: Agreement | None = None

    @property
    def human(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Mean human score of each item, NaN where there is none."""
        return mean_scores(self.items["scores"])

    @property
    def group(self) -> np.ndarray[tuple[int], np.dtype[np.object_]] | None:
        """The group of each item that agreement is averaged over, None where there is none."""
        return group_column(self.items, self.about.get("by", ()))

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints and results.json holds: no NaN, null with a reason instead."""
        out = self.agreement.as_json()
        for row, scored in zip(out["results"], self.scored, strict=True):
            row |= {"source": scored.source, "in_sample": scored.in_sample}
        if self.partial is not None:
            known = {one.strategy: one for one in self.partial.strategies}
            for row in out["results"]:
                own = known.get(row["strategy"])
                row["partial"] = None if own is None else {name: one.as_json() for name, one in own.metrics.items()}
        out["shown"] = list(self.shown)
        out["skipped"] = [{"strategy": name, "reason": reason} for name, reason in self.skipped.items()]
        out["notes"] = list(self.notes)
        out["about"] = dict(self.about)
        if self.requirements:
            out["requirements"] = [one.as_json() for one in self.requirements]
        if self.cache is not None:
            out["cache"] = {
                "fingerprint": self.cache.fingerprint,
                "items_hash": self.cache.items_hash,
                "content_hash": self.cache.content_hash,
                "readout_id": self.cache.readout_id,
                "scale": self.cache.scale.as_json(),
                "rows": self.cache.n_items,
            }
        return out


def reading_notes(agreement: Agreement) -> list[str]:
    """Return what the intervals and tests of an evaluation do not carry."""
    notes = []
    n_clusters = agreement.n_clusters
    if agreement.resamples and n_clusters is not None and 1 < n_clusters < _FEW_CLUSTERS:
        notes.append(_few_clusters(n_clusters, agreement.interval))
    if agreement.comparison is not None and agreement.resamples and agreement.interval != "jackknife":
        compared = len(agreement.comparison.differences)
        smallest = 2 * compared / (agreement.resamples + 1)
        if smallest >= 0.05:
            notes.append(
                f"with {agreement.resamples} resamples no difference can be significant after Holm's correction over "
                f"{compared} strategies: give --resamples {40 * compared} or more"
            )
    return notes


def _few_clusters(n: int, interval: str) -> str:
    if interval == "jackknife":
        return f"the intervals rest on {n} clusters only, and on their being about normal: read their ends loosely"
    return (
        f"the intervals rest on {n} clusters only; of so few they are usually too narrow, --interval jackknife less so"
    )


#: What figures of a few strategies show.
FOCUS = ("e-score", "lager", "lager-tuned")


def in_focus(names: Collection[str]) -> list[str]:
    """Return the three strategies that a figure can show, in their order: those of `FOCUS`, else the first ones."""
    chosen = sorted(names, key=lambda name: name not in FOCUS)[:3]
    return [name for name in names if name in chosen]
