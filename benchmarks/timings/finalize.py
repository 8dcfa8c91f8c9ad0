"""How long finalising takes, and how large the files of a cache are, for each row and shard.

    python benchmarks/timings/finalize.py --rows 65536 --jobs 1 2

Read-outs are made up with 33 layer entries and 5 labels, and have the bits of bfloat16 states times float32 weights.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from lager.data.cache.manifest import ITEMS, MANIFEST, shard_name
from lager.data.cache.shards import ShardData
from lager.data.items.items import TABLE_SCHEMA
from lager.data.run.cache_writer import CacheWriter
from lager.data.run.finalize import finalize_cache
from lager.data.scale import Scale


def make_rows(rng: np.random.Generator, rows: range, entries: int) -> tuple[ShardData, pl.DataFrame]:
    """Return a shard's rows and their part of the item table."""
    n = len(rows)
    walk = rng.normal(scale=2, size=(n, entries, 5)).cumsum(axis=1).astype(np.float32)
    data = ShardData(
        item_id=[f"item-{row}" for row in rows],
        prompt_sha256=rng.integers(0, 256, (n, 32), dtype=np.uint8),
        n_tokens=rng.integers(200, 1500, n, dtype=np.int32),
        logits=walk,
        logits_normed=(walk * 1.7).astype(np.float32),
        logsumexp=np.full(n, 40, np.float32),
        position=rng.integers(200, 1500, n, dtype=np.int32),
        valid=np.ones(n, bool),
        reason=[""] * n,
    )
    columns = {"item_id": data.item_id, "scores": [[float(row % 5 + 1)] for row in rows], "group": ["fluency"] * n,
               "cluster": [f"text{row // 64}" for row in rows], "system": [f"S{row % 16}" for row in rows]}  # fmt: skip
    return data, pl.DataFrame(columns, schema=TABLE_SCHEMA)


def make_run(folder: Path, *, rows: int, shard_size: int, entries: int) -> CacheWriter:
    """Write all shards of a run."""
    scale = Scale.parse("1-5").as_json()
    identity = {"inputs": {"made": "up"}, "readout_inputs": {"made": "up"}, "scale": scale, "recorded": {}}
    ids = [f"item-{row}" for row in range(rows)]
    writer = CacheWriter.start(folder, identity=identity, item_id=ids, shard_size=shard_size)
    rng = np.random.default_rng(0)
    for shard in range(writer.n_shards):
        data, table = make_rows(rng, writer.rows(shard), entries)
        writer.write(shard, data, items=table, cost={"run": "made up", "devices": ["cpu"]})
    return writer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=65_536)
    parser.add_argument("--shard-size", type=int, default=2048)
    parser.add_argument("--entries", type=int, default=33)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "cache"
        start = time.perf_counter()
        writer = make_run(folder, rows=options.rows, shard_size=options.shard_size, entries=options.entries)
        found = {"writing_rows_per_s": options.rows / (time.perf_counter() - start)}
        for jobs in options.jobs:
            (folder / MANIFEST).unlink(missing_ok=True)
            start = time.perf_counter()
            finalize_cache(folder, jobs=jobs)
            found[f"finalising_rows_per_s_{jobs}_jobs"] = options.rows / (time.perf_counter() - start)
        shards = sum((folder / shard_name(k)).stat().st_size for k in range(writer.n_shards))
        found["shard_bytes_per_row"] = shards / options.rows
        found["item_table_bytes_per_row"] = (folder / ITEMS).stat().st_size / options.rows
        found["manifest_bytes_per_shard"] = (folder / MANIFEST).stat().st_size / writer.n_shards
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
