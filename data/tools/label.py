"""Human scores for a cache that was extracted without them, or with fewer: no model is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from ..cache.feature_cache import FeatureCache
from ..cache.shards import read_shard
from ..errors import LagerError
from ..files.location import only_folder
from ..items.raters import RATED_BY, RATED_BY_TYPE
from ..run.cache_writer import CacheWriter
from .own_cache import own_run


class Labelled(NamedTuple):
    """What labelling did.

    Attributes
    ----------
    cache : FeatureCache
        The cache with its scores.
    n_given : int
        Items that the file has scores of.
    n_changed : int
        Those of them that had others before.
    n_labelled : int
        Items of the cache that have scores now.
    """

    cache: FeatureCache
    n_given: int
    n_changed: int
    n_labelled: int


def label_cache(path: str | Path, scores: str | Path, *, raters: Sequence[str] = ()) -> Labelled:
    """Write the human scores of a file into a cache; items that the file does not name keep what they have.

    Read-outs, and with them the content hash, stay as they are. Interrupted, the cache is not complete: `lager cache
    finalize`, then the same call again.

    Parameters
    ----------
    path : str or Path
        The cache's folder.
    scores : str or Path
        As `FeatureCache.with_scores` reads it.
    raters : sequence of str
        Columns that hold one rater's scores each.

    Raises
    ------
    LagerError
        When the cache is a copy or is being extracted, or the file is not right.
    """
    folder = only_folder(path)
    run = own_run(folder, to="label it")
    before = FeatureCache.open(folder)
    before.check_files()
    given = before.with_scores(scores, raters=raters).items
    named = given["scores"].list.len().fill_null(0) > 0
    if not named.any():
        raise LagerError(f"{scores} has a human score of no item of cache {folder}: nothing was changed")
    had = before.items["scores"].list.len().fill_null(0) > 0
    changed = named & had & (given["scores"] != before.items["scores"]).fill_null(False)
    items = _joined(before.items, given, named)
    writer = CacheWriter(folder, run)
    for k, entry in enumerate(before.manifest["shards"]):
        rows = writer.rows(k)
        writer.relabel(k, read_shard(folder / entry["file"]), items=items[rows.start : rows.stop])
    cache = writer.finalize()
    return Labelled(cache, int(named.sum()), int(changed.sum()), int(np.isfinite(cache.mean_scores).sum()))


def _joined(before: pl.DataFrame, given: pl.DataFrame, named: pl.Series) -> pl.DataFrame:
    """Return the item table with the scores, and raters, of one table where it has some, and of the other elsewhere."""
    out = before
    for name in ("scores", RATED_BY):
        if name not in before.columns and name not in given.columns:
            continue
        old, new = (
            table[name] if name in table.columns else pl.Series(name, [None] * len(table), dtype=RATED_BY_TYPE)
            for table in (before, given)
        )
        picked = pl.select(pl.when(named).then(new).otherwise(old).alias(name))[name]
        at = before.columns.index(name) if name in before.columns else out.columns.index("scores") + 1
        out = out.drop(name, strict=False).insert_column(at, picked)
    return out
