"""One side of a comparison: what a judge made of some items, from a cache or from a file of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...data.files.location import as_url
from ...data.items.item_table import object_column
from ...data.items.score_files import read_external
from ...data.items.score_rows import ScoreRows
from ...data.items.values import label_text
from ..evaluation.applied import choose_aggregators, scores_and_distributions
from ..options import DEFAULT_STRATEGIES

#: What tables call the judge of a file.
SCORE = "score"


@dataclass(frozen=True)
class Reading:
    """Scores of items, under their ids.

    Parameters
    ----------
    name : str
        What messages call it.
    ids : list of str
    judges : dict of str to ndarray of shape (n_items,)
        Scores, NaN where there is none.
    human : ndarray of shape (n_items,)
        NaN where there is none, or the reading is a file, which has a judge's scores only.
    group, cluster : ndarray of shape (n_items,) of str or None, or None
    cache : FeatureCache or None
    notes : list of str
    """

    name: str
    ids: list[str]
    judges: dict[str, NDArray[np.float64]]
    human: NDArray[np.float64]
    group: NDArray[np.object_] | None = None
    cluster: NDArray[np.object_] | None = None
    cache: FeatureCache | None = None
    notes: list[str] = field(default_factory=list)


def read_reading(
    source: str, *, strategies: Sequence[str] = (), aggregators: Sequence[Path] = (), force: bool = False
) -> Reading:
    """Return what a judge made of the items of a cache, or of a file with columns id and score (or ``FILE:COLUMN``)."""
    if Path(source).is_dir() or as_url(source) is not None:
        names = strategies or (() if aggregators else DEFAULT_STRATEGIES)
        return _of_cache(FeatureCache.open(source), names, aggregators, force=force)
    if strategies or aggregators:
        raise LagerError(f"--strategy and --aggregator score a cache, and {source} is none: leave them out")
    path, column = Path(source), SCORE
    if not path.exists() and ":" in source:
        file, _, column = source.rpartition(":")
        path = Path(file)
    rows = ScoreRows(path, what="file of scores")
    labels = {
        name: [label_text(row.get(name), what=f"{path}: {name}") for row in rows.rows] for name in ("group", "cluster")
    }
    items = pl.DataFrame({"item_id": rows.ids(), **labels}, schema=dict.fromkeys(("item_id", *labels), pl.String))
    judge = read_external([f"{path}:{column}"], items, None)[0]
    none = np.full(len(items), np.nan)
    group, cluster = (object_column(items, name) for name in labels)
    return Reading(source, items["item_id"].to_list(), {SCORE: judge.scores}, none, group, cluster)


def _of_cache(cache: FeatureCache, names: Sequence[str], files: Sequence[Path], *, force: bool) -> Reading:
    chosen, notes = choose_aggregators(cache, names, files, force=force)
    if off := [name for name, one in chosen.items() if not one.definition.on_scale]:
        raise LagerError(f"{', '.join(off)}: these numbers are no scores on the scale {cache.scale}; leave them out")
    scored = scores_and_distributions(cache, chosen)
    ids = cache.items.get_column("item_id").to_list()
    return Reading(
        f"cache {cache.path}",
        ids,
        {name: scores for name, (scores, _) in scored.items()},
        cache.mean_scores,
        cache.column("group"),
        cache.clusters.cluster,
        cache,
        [f"{cache.path.name}: {note}" for note in notes],
    )
