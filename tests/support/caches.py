"""Small feature caches with made-up read-outs, written by the real writer."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shard_rows import take_rows
from lager.data.cache.shards import ShardData
from lager.data.items.items import TABLE_SCHEMA, Items
from lager.data.items.raters import RATED_BY, RATED_BY_TYPE
from lager.data.run.cache_writer import CacheWriter
from lager.data.scale import Scale

SCALE = Scale.parse("1-5")


def make_items(n: int, *, groups: int = 2, clusters: int = 6, seed: int = 0, first: int = 0) -> Items:
    """Items with three annotators each; their prompts and ids are numbered from `first`."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(1, 5, size=n)
    scores = np.clip(np.round(quality[:, None] + rng.normal(scale=0.7, size=(n, 3))), 1, 5)
    ids = tuple(f"item{first + i}" for i in range(n))
    table = pl.DataFrame(
        {
            "item_id": ids,
            "scores": scores.tolist(),
            "group": [f"criterion{i % groups}" for i in range(n)],
            "cluster": [f"text{i % clusters}" for i in range(n)],
            "system": [f"writer{i % 4}" for i in range(n)],
        },
        schema=TABLE_SCHEMA,
    )
    return Items(
        ids, tuple({"prompt": f"prompt {first + i}"} for i in range(n)), "prompt", table, source={"file": "made up"}
    )


def make_shard(items: Items, *, n_layers: int = 4, seed: int = 0, invalid: frozenset[int] = frozenset()) -> ShardData:
    """Read-outs in which later layers know more about the human score."""
    n = len(items)
    human = np.array([np.mean(scores) for scores in items.table["scores"].to_list()])
    logits = np.empty((n, n_layers + 1, 5), np.float32)
    for row, item in enumerate(items.item_id):
        rng = np.random.default_rng([seed, int(item.removeprefix("item"))])
        noise = rng.normal(size=(n_layers + 1, 5))
        depth = np.arange(n_layers + 1)[:, None] / n_layers
        logits[row] = noise - 1.2 * depth * (np.arange(1, 6) - human[row]) ** 2
    valid = np.array([i not in invalid for i in range(n)])
    logits[~valid] = np.nan
    hashes = b"".join(hashlib.sha256(str(f).encode()).digest() for f in items.fields)
    return ShardData(
        item_id=list(items.item_id),
        prompt_sha256=np.frombuffer(hashes, np.uint8).reshape(n, 32),
        n_tokens=np.arange(10, 10 + n, dtype=np.int32),
        logits=logits,
        logits_normed=2 * logits,
        logsumexp=np.where(valid, 2 * np.nan_to_num(logits)[:, -1].max(axis=1) + 2, np.nan).astype(np.float32),
        position=np.arange(9, 9 + n, dtype=np.int32),
        valid=valid,
        reason=["" if ok else "too long" for ok in valid],
    )


def identity(**inputs: Any) -> dict[str, Any]:
    """An identity whose fingerprint inputs are `inputs`."""
    return {
        "inputs": {"template": "direct", **inputs},
        "readout_inputs": {"weights": inputs.get("weights", "w0")},
        "scale": SCALE.as_json(),
        "recorded": {"model": "tiny"},
    }


def make_cache(
    path: Path,
    n: int = 40,
    *,
    seed: int = 0,
    shard_size: int = 16,
    invalid: frozenset[int] = frozenset(),
    texts: list[str] | None = None,
    clusters: int = 6,
    first: int = 0,
    noise: int = 0,
    private: bool = False,
    raters: tuple[str, ...] = (),
    prompts: str | None = None,
    **inputs: Any,
) -> FeatureCache:
    """Write a complete cache; `noise` changes what the judge says, and not what people say; `raters` names three."""
    items = make_items(n, seed=seed, clusters=clusters, first=first)
    if prompts is not None:
        items = replace(items, fields=tuple({"prompt": f"{prompts} {i}"} for i in range(n)))
    shard = make_shard(items, seed=seed + noise, invalid=invalid)
    if texts is not None:
        items = replace(items, table=items.table.with_columns(pl.Series("text", texts)))
    if raters:
        names = pl.Series(RATED_BY, [list(raters)] * n, dtype=RATED_BY_TYPE)
        items = replace(items, table=items.table.with_columns(names))
    writer = CacheWriter.start(
        path, identity=identity(**inputs), item_id=items.item_id, shard_size=shard_size, private=private
    )
    for k in range(writer.n_shards):
        write(writer, k, shard, items)
    return writer.finalize()


def write(writer: CacheWriter, k: int, shard: ShardData, items: Items, **options: Any) -> None:
    """Write shard `k` of some items, given all their rows."""
    rows = writer.rows(k)
    writer.write(k, rows_of(shard, rows), items=items.table[rows.start : rows.stop], **options)


def rows_of(shard: ShardData, rows: range) -> ShardData:
    """Some rows of a shard."""
    return take_rows(shard, slice(rows.start, rows.stop))
