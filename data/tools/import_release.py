"""Results of the paper's released code as a feature cache.

Its JSON is a list of records with ``idx``, ``human_score`` and ``df``, a table by layer whose column ``logits`` holds
the score-token logits. A record without a score has ``direct_socre`` -1 (its spelling) and no logits.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..cache.feature_cache import FeatureCache
from ..cache.shards import ShardData
from ..errors import LagerError
from ..files.bounds import read_unpacked
from ..files.canonical import sha256_file
from ..files.json_text import DOCUMENT, parse_json
from ..files.text import decode_text
from ..files.writing import refuse_existing
from ..items.items import TABLE_SCHEMA, Items
from ..items.raters import RATED_BY, RATED_BY_TYPE, Rated
from ..items.small_files import check_unique, parse_places
from ..run.cache_writer import CacheWriter
from ..scale import Scale


def import_release(path: str | Path, *, cache: str | Path, model: str, shard_size: int = 1024) -> FeatureCache:
    """Write a feature cache from a result file of the released code.

    The last layer entry serves as both read-outs; the other entries of ``logits_normed``, the log-sum-exp, the token
    counts and the position are not in such files: NaN, NaN, 0 and -1.
    """
    path, cache = Path(path), Path(cache)
    refuse_existing(cache, what="cache")
    records = _read_records(path)
    readouts = [_readout(record, row=n, path=path) for n, record in enumerate(records, start=1)]
    shapes = {r.shape for r in readouts if r is not None}
    if len(shapes) != 1:
        raise LagerError(f"{path}: expected read-outs of one shape (layers, scores), got {sorted(shapes) or 'none'}")
    (shape,) = shapes
    scale = Scale.parse(f"1-{shape[1]}")
    items = _items(records, scale, path=path)
    identity = {
        "inputs": {"backend": "import-release", "model": model, "scale": scale.as_json(), "n_entries": shape[0]},
        "readout_inputs": {"backend": "import-release", "model": model, "n_entries": shape[0]},
        "scale": scale.as_json(),
        "recorded": {"model": model},
    }
    source = {"imported_from": path.name, "sha256": sha256_file(path), "source": items.source}
    writer = CacheWriter.start(
        cache, identity=identity, item_id=items.item_id, shard_size=shard_size, provenance=source
    )
    for k in range(writer.n_shards):
        rows = writer.rows(k)
        data = _shard([records[i] for i in rows], [readouts[i] for i in rows], items.item_id[rows.start :], shape)
        writer.write(k, data, items=items.table[rows.start : rows.stop])
    return writer.finalize()


def _read_records(path: Path) -> list[dict[str, Any]]:
    try:
        records = parse_json(decode_text(read_unpacked(path, what="result file")), limits=DOCUMENT)
    except LagerError:
        raise
    except ValueError:
        raise LagerError(f"{path} is not valid JSON: it was cut off or is another kind of file") from None
    if not isinstance(records, list) or not records or not all(isinstance(r, dict) for r in records):
        raise LagerError(f"{path}: expected a list of result records, as the released code writes")
    return records


def _readout(record: dict[str, Any], *, row: int, path: Path) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """Return one item's logits, ndarray of shape (n_layers + 1, n_labels), or None where it has no score."""
    try:
        if record["direct_socre"] == -1:
            return None
        by_layer = record["df"]["logits"]
        logits = np.array([by_layer[str(entry)] for entry in range(len(by_layer))], dtype=np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise LagerError(f"{path}, record {row}: not in the released code's format ({error!r})") from None
    if logits.ndim != 2 or not np.isfinite(logits).all():
        raise LagerError(f"{path}, record {row}: its logits are not a table of finite numbers")
    return logits


def _items(records: list[dict[str, Any]], scale: Scale, *, path: Path) -> Items:
    try:
        ids = [str(record["idx"]) for record in records]
        given = [parse_places(record["human_score"], row=n, path=path) for n, record in enumerate(records, start=1)]
    except KeyError as error:
        raise LagerError(f"{path}: a record has no {error}, as the released code writes") from None
    check_unique(ids, path=path)
    nulls: list[None] = [None] * len(ids)
    rated = Rated.of(given)
    table = pl.DataFrame(
        {"item_id": ids, "scores": rated.scores, "group": nulls, "cluster": nulls, "system": nulls}, schema=TABLE_SCHEMA
    )
    if rated.rated_by is not None:
        table = table.with_columns(pl.Series(RATED_BY, rated.rated_by, dtype=RATED_BY_TYPE))
    fields = tuple({"prompt": str(record.get("prompt", ""))} for record in records)
    return Items(tuple(ids), fields, "prompt", table, source={"file": path.name}).on_scale(scale)


def _shard(
    records: list[dict[str, Any]], readouts: list[Any], ids: tuple[str, ...], shape: tuple[int, ...]
) -> ShardData:
    n = len(records)
    valid = np.array([r is not None for r in readouts])
    logits = np.stack([np.full(shape, math.nan, np.float32) if r is None else r for r in readouts])
    normed = np.full_like(logits, math.nan)
    normed[:, -1] = logits[:, -1]
    # Such files may leave the prompt's text out; with its logits a record still tells items apart.
    prompts = [
        hashlib.sha256(str(record.get("prompt", "")).encode() + row.tobytes()).digest()
        for record, row in zip(records, logits, strict=True)
    ]
    return ShardData(
        item_id=list(ids[:n]),
        prompt_sha256=np.frombuffer(b"".join(prompts), dtype=np.uint8).reshape(n, 32),
        n_tokens=np.zeros(n, np.int32),
        logits=logits,
        logits_normed=normed,
        logsumexp=np.full(n, math.nan, np.float32),
        position=np.full(n, -1, np.int32),
        valid=valid,
        reason=["" if ok else "the released code found no score" for ok in valid],
    )
