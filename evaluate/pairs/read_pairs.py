"""The pairs of a cache: two items each, told by the columns `pair`, `side` and `preferred`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.prompt_clusters import PromptClusters, with_prompts_whole
from ...data.errors import LagerError
from ...data.items.items import PAIR_COLUMNS

Layout = Literal["responses", "orders"]
_PREFERRED = {"A": 1.0, "tie": 0.5, "B": 0.0}


@dataclass(frozen=True)
class Pairs:
    """Pairs of items of a cache.

    Parameters
    ----------
    layout : {"responses", "orders"}
        Whether each item is one response, or shows both with `side` first.
    name : ndarray of shape (n_pairs,), dtype object
        What the pairs are called.
    rows : ndarray of shape (n_pairs, 2)
        The items of side A and side B.
    preferred : ndarray of shape (n_pairs,)
        What people prefer: 1 for A, 0 for B, 0.5 for neither, NaN where that is not known.
    group, cluster : ndarray of shape (n_pairs,), dtype object, or None
        Of the pairs; without a declared cluster a pair is its own. Pairs that share a prompt are in one cluster.
    n_shared : int
        Prompts that pairs share which are of several clusters otherwise.
    """

    layout: Layout
    name: NDArray[np.object_]
    rows: NDArray[np.intp]
    preferred: NDArray[np.float64]
    group: NDArray[np.object_] | None
    cluster: NDArray[np.object_]
    n_shared: int = 0

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.name)


def read_pairs(cache: FeatureCache) -> Pairs:
    """Return the pairs of a cache."""
    missing = [name for name in PAIR_COLUMNS if name not in cache.items.columns]
    if missing:
        raise LagerError(
            f"cache {cache.path} has no column {', '.join(missing)}: extract a set of pairs (benchmark:llmbar, "
            "benchmark:judgebench), or items with these columns named by --group"
        )
    items = cache.items.select(*PAIR_COLUMNS, "group", "cluster").with_row_index("row")
    sides = items.group_by("pair", maintain_order=True).agg(
        pl.col("row").filter(pl.col("side") == "A").alias("a"),
        pl.col("row").filter(pl.col("side") == "B").alias("b"),
        pl.len().alias("n"),
        pl.col("preferred").n_unique().alias("answers"),
        *(pl.col(name).first() for name in ("preferred", "group", "cluster")),
    )
    wrong = sides.filter(
        pl.col("pair").is_null() | (pl.col("a").list.len() != 1) | (pl.col("b").list.len() != 1)
        | (pl.col("n") != 2) | (pl.col("answers") != 1)
        | ~pl.col("preferred").is_in([*_PREFERRED]).fill_null(True)
    )  # fmt: skip
    if len(wrong):
        raise LagerError(
            f"cache {cache.path}: pair {wrong['pair'][0]!r} is not two items, of side A and B, that agree in "
            f"`preferred` (A, B or tie); so are {len(wrong)} of {len(sides)} pairs (was --limit given? It splits pairs)"
        )
    name = sides["pair"].cast(pl.String).to_numpy().astype(object)
    cluster = name
    if not sides["cluster"].is_null().all():
        declared = sides["cluster"].to_numpy().astype(object)
        cluster = np.array([f"pair {own}" if one is None else one for one, own in zip(declared, name, strict=True)])
    rows = np.column_stack([sides["a"].list.first().to_numpy(), sides["b"].list.first().to_numpy()]).astype(np.intp)
    joined = _joined(cache, rows, cluster)
    return Pairs(
        "orders" if list(cache.scale.labels) == ["A", "B"] else "responses",
        name,
        rows,
        sides["preferred"]
        .replace_strict(_PREFERRED, default=None, return_dtype=pl.Float64)
        .fill_null(np.nan)
        .to_numpy(),
        None if sides["group"].is_null().all() else sides["group"].to_numpy().astype(object),
        cluster if joined.cluster is None else joined.cluster[::2],
        joined.n_prompts,
    )


def _joined(cache: FeatureCache, rows: NDArray[np.intp], cluster: NDArray[np.object_]) -> PromptClusters:
    """Return the clusters of both items of each pair, joined where pairs share a prompt, such as one of a response."""
    prompts = np.unique(cache.prompt_keys()[rows.ravel()], return_inverse=True)[1].astype(np.uint64)
    invalid = ~cache.valid[rows.ravel()]  # some have no prompt to speak of
    prompts[invalid] = rows.size + np.flatnonzero(invalid)
    return with_prompts_whole(np.repeat(cluster, 2), prompts)
