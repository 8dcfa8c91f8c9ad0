"""A cache as a table, for frames and databases."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from ..items.item_table import mean_scores
from .cache_columns import CacheColumns

#: Which read-outs a frame has.
LogitsOf = Literal["none", "raw", "normed"]


def cache_frame(cache: CacheColumns, *, logits: LogitsOf = "none") -> pl.DataFrame:
    """Return a row for each item: its columns, the mean human score, and what the judge's last layer says."""
    mass = cache.score_mass
    columns = [
        pl.Series("human", mean_scores(cache.items["scores"])).fill_nan(None),
        pl.Series("valid", cache.valid),
        pl.Series("reason", cache.reason.tolist(), dtype=pl.String),
        pl.Series("n_tokens", cache.n_tokens),
        pl.Series("score_mass", np.asarray(mass, dtype=np.float64)).fill_nan(None),
    ]
    if logits != "none":
        values = cache.logits if logits == "raw" else cache.logits_normed
        shape = values.shape[1:]
        array = pl.Series("logits", values.reshape(len(values), -1), dtype=pl.Array(pl.Float32, int(np.prod(shape))))
        columns.append(array.reshape((len(values), *shape)))
    return cache.items.with_columns(columns)
