"""The content of the golden cache: all that version 1 of the format knows, in four rows."""

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shard_rows import take_rows
from lager.data.cache.shards import ShardData
from lager.data.items.items import TABLE_SCHEMA
from lager.data.run.cache_writer import CacheWriter
from lager.data.scale import Scale

IDS = ["a", "b", "ü", "d / 4"]
VALID = np.array([True, True, False, True])


def golden_rows() -> ShardData:
    """Return the rows; every number is a small multiple of an eighth."""
    logits = np.arange(4 * 3 * 2, dtype=np.float32).reshape(4, 3, 2) / 8
    states = ((np.arange(4 * 3 * 2) % 17 - 8) / 8).astype(np.float16).reshape(4, 3, 2)
    scales = np.arange(12, dtype=np.float32).reshape(4, 3) / 4
    for values in (logits, states, scales):
        values[~VALID] = np.nan
    hashes = b"".join(hashlib.sha256(name.encode()).digest() for name in IDS)
    return ShardData(
        item_id=IDS,
        prompt_sha256=np.frombuffer(hashes, np.uint8).reshape(4, 32),
        n_tokens=np.array([7, 8, 900, 10], np.int32),
        logits=logits,
        logits_normed=logits * 2,
        logsumexp=np.array([1.5, 2.5, np.nan, 4.5], np.float32),
        position=np.array([6, 7, -1, 12], np.int32),
        valid=VALID,
        reason=["", "", "the prompt is longer than the model's 512 tokens", ""],
        optional={
            "hidden_last": states,
            "hidden_scale_last": scales,
            "label_form": np.array([0, 1, 0, 0], np.uint8),
            "generated": ["Score: 1", "It is 2.", "", "2"],
        },
    )


def write_golden(path: Path) -> FeatureCache:
    """Write the golden cache with the present writer."""
    table = {
        "item_id": IDS,
        "scores": [[1.0, 2.0], [], [1.5], [2.0]],
        "group": ["x", "y", None, "x"],
        "cluster": ["1", "1", "2", "2"],
        "system": [None, "s", "s", None],
        "text": ["first", "second", "third", "4 <>"],
    }
    items = pl.DataFrame(table, schema={**TABLE_SCHEMA, "text": pl.String})
    identity = {
        "inputs": {"prompt": {"template": "{{ text }}"}, "scale": {"token_ids_of_forms": [[5, 6], [7, 8]]}},
        "readout_inputs": {"weights": {"model.safetensors": "0" * 64}},
        "scale": Scale.parse("1-2").as_json(),
        "recorded": {"model": "golden"},
    }
    writer = CacheWriter.start(path, identity=identity, item_id=IDS, shard_size=3, provenance={"source": {}})
    for k in range(writer.n_shards):
        rows = writer.rows(k)
        data = take_rows(golden_rows(), slice(rows.start, rows.stop))
        cost = {"run": "2026-01-01T00:00:00+00:00", "devices": ["cpu"], "device_seconds": 0.5, "tokens": 25}
        writer.write(k, data, items=items[rows.start : rows.stop], cost=cost)
    return writer.finalize()
