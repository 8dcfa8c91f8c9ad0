"""A sound feature cache of any size, cheap to make: its shards repeat 32 blocks of made-up read-outs.

Ids, prompt hashes, human scores, groups and clusters are each item's own. The blocks have bfloat16 precision, as models
give it, and their compressed chunks are copied, not made anew.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import polars as pl
from lager.data.cache.manifest import ITEMS, MANIFEST, content_hash, file_entry, identity_record, sealed, shard_name
from lager.data.cache.shards import ShardData, row_digests, write_shard
from lager.data.files.canonical import canonical_json
from lager.data.files.writing import write_json
from lager.data.items.items import TABLE_SCHEMA
from lager.data.scale import Scale

SCALE = Scale.parse("1-5")
N_ENTRIES = 33
BLOCKS = 32
GROUPS = 4
COPIED = ("logits", "logits_normed", "logsumexp", "position", "n_tokens", "valid")


class Block(NamedTuple):
    """A shard's rows without ids and prompt hashes, and its stored chunks by dataset."""

    rows: ShardData
    quality: np.ndarray
    chunks: dict[str, bytes]


def make_block(seed: int, size: int, scratch: Path) -> Block:
    """Make up the read-outs of one shard: later layers know more about an item's quality."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(1, 5, size=size)
    depth = np.linspace(0, 0.5, N_ENTRIES)[:, None]
    logits = rng.normal(scale=2, size=(size, N_ENTRIES, 5))
    logits -= depth * (np.arange(1, 6) - quality[:, None, None]) ** 2
    raw = (logits.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
    rows = ShardData(
        item_id=[str(i) for i in range(size)],
        prompt_sha256=np.zeros((size, 32), np.uint8),
        n_tokens=rng.integers(100, 900, size=size).astype(np.int32),
        logits=raw,
        logits_normed=2 * raw,
        logsumexp=np.log(np.exp(2.0 * raw[:, -1]).sum(axis=1) * 1.25).astype(np.float32),
        position=np.full(size, 99, np.int32),
        valid=np.ones(size, dtype=bool),
        reason=[""] * size,
    )
    path = scratch / f"{seed}-{size}.h5"
    write_shard(path, rows, attributes={})
    with h5py.File(path, "r") as file:
        chunks = {name: file[name].id.read_direct_chunk((0,) * file[name].ndim)[1] for name in COPIED}
    return Block(rows, quality, chunks)


def write_copy(path: Path, block: Block, data: ShardData, attributes: dict[str, Any]) -> None:
    """Write a shard as `write_shard` does, with the block's compressed chunks."""
    with h5py.File(path, "w", libver=("earliest", "v110")) as file:
        file.attrs["lager"] = canonical_json(attributes)
        for name, values in data.datasets().items():
            if name in ("item_id", "reason"):
                file.create_dataset(name, data=values, dtype=h5py.string_dtype("utf-8"))
                continue
            plain = {"chunks": values.shape, "compression": "gzip", "shuffle": True, "fletcher32": True}
            if name in COPIED:
                dataset = file.create_dataset(name, shape=values.shape, dtype=values.dtype, compression_opts=4, **plain)
                dataset.id.write_direct_chunk((0,) * values.ndim, block.chunks[name])
            else:
                file.create_dataset(name, data=values, compression_opts=4, **plain)


def make_cache(folder: Path, n_items: int, shard_size: int) -> None:
    """Write the cache, its hashes as the real writer computes them."""
    (folder / "shards").mkdir(parents=True)
    scratch = folder / "scratch"
    rng = np.random.default_rng(0)
    identity = identity_record(
        {
            "inputs": {"template": "made up", "scale": SCALE.as_json()},
            "readout_inputs": {"weights": "made up"},
            "scale": SCALE.as_json(),
            "recorded": {"model": "made up"},
        }
    )
    ids, human, shards = [], [], []
    items = hashlib.sha256(b"[")
    content = hashlib.sha256()
    last = n_items % shard_size
    blocks = {size: [make_block(k, size, scratch) for k in range(BLOCKS)] for size in {shard_size, last} - {0}}
    for k, start in enumerate(range(0, n_items, shard_size)):
        size = min(shard_size, n_items - start)
        block = blocks[size][k % BLOCKS]
        own = [f"{row:09d}" for row in range(start, start + size)]  # in this order sorted, so hashes need no sorting
        hashes = [hashlib.sha256(one.encode()).digest() for one in own]
        data = with_ids(block.rows, own, hashes)
        digests = row_digests(data)
        attributes = {**identity, "shard": k, "rows": [start, start + size], "content_hash": content_hash(own, digests)}
        write_copy(folder / shard_name(k), block, data, {**attributes, "cost": {}})
        shards.append(file_entry(folder / shard_name(k), name=shard_name(k), rows=size))
        content.update(b"".join(digests))
        pairs = ",".join(f'["{one}","{digest.hex()}"]' for one, digest in zip(own, hashes, strict=True))
        items.update((("," if k else "") + pairs).encode())
        ids += own
        human.append(np.clip(np.round(block.quality + rng.normal(scale=0.7, size=size)), 1, 5))
    items.update(b"]")
    shutil.rmtree(scratch)
    row = np.arange(n_items)
    table = pl.DataFrame(
        {
            "item_id": ids,
            "scores": pl.Series(np.concatenate(human)).reshape((n_items, 1)).cast(pl.List(pl.Float64)),
            "group": pl.Series(row % GROUPS).cast(pl.String),
            "cluster": pl.Series(row // GROUPS).cast(pl.String),
            "system": pl.Series([None], dtype=pl.String).extend_constant(None, n_items - 1),
        },
        schema=TABLE_SCHEMA,
    )
    table.write_parquet(folder / ITEMS)
    manifest = {
        **identity,
        "n_items": n_items,
        "shard_size": shard_size,
        "options": {},
        "private": False,
        "n_entries": N_ENTRIES,
        "n_labels": len(SCALE),
        "items_hash": items.hexdigest(),
        "content_hash": content.hexdigest(),
        "shards": shards,
        "items": file_entry(folder / ITEMS, name=ITEMS, rows=n_items),
        "provenance": {"source": {"file": "made up"}, "runs": []},
    }
    write_json(folder / MANIFEST, sealed(manifest))


def with_ids(rows: ShardData, ids: list[str], hashes: list[bytes]) -> ShardData:
    """Return a block's rows as other items."""
    fields = {name: value for name, value in vars(rows).items() if name not in {"item_id", "prompt_sha256"}}
    return ShardData(
        item_id=ids, prompt_sha256=np.frombuffer(b"".join(hashes), np.uint8).reshape(len(ids), 32), **fields
    )
