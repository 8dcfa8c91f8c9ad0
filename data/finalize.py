"""Finalising a cache: its shards are checked, the item table is written, and last the manifest.

It needs the folder alone and no model, so it can run anywhere, at any time, and again: the same shards give the same
cache. Shards are read one at a time; memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .canonical import canonical_json, sha256_file
from .errors import LagerError
from .files import replacing, write_json
from .item_rows import GENERATED, ITEM, TEXT, decode_rows, table_schema, text_sha256
from .manifest import (
    ITEMS,
    MANIFEST,
    RUN,
    check_kinds,
    content_hash,
    file_entry,
    read_manifest,
    read_run,
    sealed,
    shard_name,
)
from .parquet_files import read_parquet
from .shards import STRINGS, ShardData, read_attributes, read_columns, read_shard, row_digests
from .sorted_digests import CacheHashes, SortedDigests

_LISTED = 20
_GROUP_ROWS = 1 << 16
_COST_SUMS = ("device_seconds", "tokens", "computed_tokens")


class Finalized(NamedTuple):
    """A cache that is complete.

    Attributes
    ----------
    rows, valid : int
        Its items, and those with a read-out.
    reasons : dict
        Why the others have none, and how many of them.
    score_mass : float or None
        Median over the valid rows of the probability that the score tokens have together; None without any.
    content_hash : str
        Of the cache.
    """

    rows: int
    valid: int
    reasons: dict[str, int]
    score_mass: float | None
    content_hash: str


def finalize_cache(path: str | Path) -> Finalized:
    """Check the shards of a run, write the item table from them and, last, the manifest.

    A cache that is complete and true already stays as it is.

    Raises
    ------
    LagerError
        When there is no run in the folder, shards are missing, or one is damaged or does not fit.
    """
    folder = Path(path)
    if not (folder / RUN).exists():
        raise LagerError(f"{folder} has no {RUN}, so nothing tells what its shards should be: restore that file")
    run = read_run(folder)
    n_shards = -(-run["n_items"] // run["shard_size"])
    if missing := missing_shards(folder, n_shards):
        raise LagerError(
            f"cache {folder}: {len(missing)} of {n_shards} shards are missing ({listed(missing)}); run the same "
            "`lager extract` command again to read them"
        )
    found, hashes = _read_shards(folder, run, n_shards)
    if not _is_current(folder, found, hashes):
        _write_items(folder, found)
        write_json(folder / MANIFEST, sealed(_manifest(folder, run, found, hashes)))
    mass = np.concatenate(found.masses) if found.masses else np.zeros(0)
    return Finalized(
        rows=found.rows,
        valid=found.valid,
        reasons=dict(found.reasons.most_common()),
        score_mass=float(np.median(mass)) if len(mass) and np.isfinite(mass).all() else None,
        content_hash=hashes.content_hash,
    )


def missing_shards(folder: Path, n_shards: int) -> list[int]:
    """Return the numbers of the shards that have no file yet."""
    return [k for k in range(n_shards) if not (folder / shard_name(k)).exists()]


def listed(numbers: Sequence[int]) -> str:
    """Return numbers for people, runs of them as first-last, and not too many: ``0-3, 7, 9-11, ...``."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:_LISTED]]
    return ", ".join(texts) + (", ..." if len(spans) > _LISTED else "")


def sound_shard(path: Path, *, fingerprint: str) -> tuple[ShardData, dict[str, Any]]:
    """Return a shard and its attribute when its content is what it was written as, in this run's way.

    Raises
    ------
    LagerError
        When it is damaged, or was read in another way.
    """
    attributes, data = read_attributes(path), read_shard(path)
    if attributes.get("fingerprint") != fingerprint:
        raise LagerError(f"{path} was read in another way than this run's (another fingerprint): remove it")
    same_text = attributes.get("text_sha256", text_sha256(data.optional)) == text_sha256(data.optional)
    if not same_text or attributes.get("content_hash") != content_hash(data.item_id, row_digests(data)):
        raise LagerError(f"{path} is damaged: its content is not what was written; remove it and run the same "
                         "extraction again")  # fmt: skip
    return data, attributes


@dataclass
class _Shards:
    """What one pass over the shards gathers."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    shape: tuple[int, ...] = ()
    numeric: set[str] = field(default_factory=set)
    text: set[str] = field(default_factory=set)
    schema: dict[str, Any] = field(default_factory=dict)
    rows: int = 0
    valid: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    masses: list[NDArray[np.float32]] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)


def _read_shards(folder: Path, run: dict[str, Any], n_shards: int) -> tuple[_Shards, CacheHashes]:
    found, ids = _Shards(), hashlib.sha256(b"[")
    with SortedDigests(folder) as digests:
        for k in range(n_shards):
            path = folder / shard_name(k)
            data, attributes = sound_shard(path, fingerprint=run["fingerprint"])
            _check_fits(path, data, found, rows=min(run["shard_size"], run["n_items"] - found.rows))
            ids.update(("," if k else "").encode() + canonical_json(data.item_id)[1:-1].encode())
            digests.add(data.item_id, [row.tobytes() for row in data.prompt_sha256], row_digests(data))
            found.entries.append(file_entry(path, name=shard_name(k), rows=len(data)))
            if ITEM in data.optional:
                found.schema |= table_schema(data.optional[ITEM][0], path=path)
            found.rows += len(data)
            found.valid += int(data.valid.sum())
            found.reasons.update(reason for reason in data.reason if reason)
            final = data.logits_normed[data.valid, -1] - data.logsumexp[data.valid, None]
            found.masses.append(np.exp(final).sum(axis=1))
            _add_cost(found.runs, attributes.get("cost", {}), path=path)
        ids.update(b"]")
        if ids.hexdigest() != run["item_ids_sha256"]:
            raise LagerError(f"cache {folder}: its shards hold other items than the input; run the extraction again")
        return found, digests.hashes()


def _check_fits(path: Path, data: ShardData, found: _Shards, *, rows: int) -> None:
    """Raise `LagerError` when a shard has other rows, shapes or datasets than it should."""
    numeric, text = set(data.optional) - set(STRINGS), set(data.optional) & set(STRINGS)
    shape = data.logits.shape[1:]
    if not found.entries:  # the first one sets what the others must be
        found.shape, found.numeric, found.text = shape, numeric, text
    if numeric != found.numeric or shape != found.shape or len(data) != rows:
        raise LagerError(
            f"{path} has {len(data)} rows of shape {shape} and {', '.join(sorted(numeric)) or 'no further datasets'}, "
            f"expected {rows} of {found.shape} and {', '.join(sorted(found.numeric)) or 'none'} as in the shards "
            "before it; remove it and run the extraction again"
        )
    found.text &= text


def _is_current(folder: Path, found: _Shards, hashes: CacheHashes) -> bool:
    """Return whether the folder holds a true manifest of these very shards and of its item table."""
    try:
        manifest = read_manifest(folder)
        return (
            manifest["shards"] == found.entries
            and (manifest["items_hash"], manifest["content_hash"]) == hashes
            and manifest["items"]["sha256"] == sha256_file(folder / ITEMS)
        )
    except (LagerError, OSError):
        return False


def _write_items(folder: Path, found: _Shards) -> None:
    """Write the item table; one that is there stays where the shards carry none, as those of earlier versions."""
    if ITEM not in found.text:
        _check_items(folder, found)
        return
    schema = dict(found.schema)
    if TEXT in schema and GENERATED in found.text:
        schema[GENERATED] = pl.String
    with replacing(folder / ITEMS) as temporary:
        _sink(partial(_tables, folder, found, schema), schema, temporary)


def _tables(folder: Path, found: _Shards, schema: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """Yield the item table shard by shard; what the judge wrote is a column unless the rows have it themselves."""
    written = GENERATED in schema and GENERATED not in found.schema
    for entry in found.entries:
        path = folder / entry["file"]
        columns = read_columns(path, ["item_id", ITEM, *([GENERATED] if written else [])], rows=entry["rows"])
        table = decode_rows(columns["item_id"], columns[ITEM], schema=schema, path=path)
        yield table.with_columns(pl.Series(GENERATED, columns[GENERATED], dtype=pl.String)) if written else table


def _sink(tables: Any, schema: Any, path: Path) -> None:
    """Write tables to one Parquet file as they come."""
    from polars.io.plugins import register_io_source

    failures: list[LagerError] = []

    def source(*_: Any) -> Iterator[pl.DataFrame]:
        try:
            yield from tables()
        except LagerError as error:
            failures.append(error)
            raise

    try:
        register_io_source(source, schema=schema).sink_parquet(path, row_group_size=_GROUP_ROWS)
    except pl.exceptions.PolarsError:
        if failures:  # polars wraps what its source raises
            raise failures[0] from None
        raise


def _check_items(folder: Path, found: _Shards) -> None:
    """Raise `LagerError` unless the item table that is there has the ids of the shards."""
    problem = f"cache {folder}: its shards carry no item rows (an earlier lager wrote them)"
    if not (folder / ITEMS).exists():
        raise LagerError(f"{problem}, and {ITEMS} is missing; run the same `lager extract` command again")
    ids = read_parquet(folder / ITEMS, what="item table", columns=["item_id"])["item_id"]
    at = 0
    for entry in found.entries:
        rows = entry["rows"]
        if read_columns(folder / entry["file"], ["item_id"])["item_id"] != ids[at : at + rows].to_list():
            raise LagerError(f"{problem}, and {ITEMS} names other items; run the same `lager extract` command again")
        at += rows
    if at != len(ids):
        raise LagerError(f"{problem}, and {ITEMS} has {len(ids)} rows for {at}; restore it")


def _manifest(folder: Path, run: dict[str, Any], found: _Shards, hashes: CacheHashes) -> dict[str, Any]:
    left_out = {"salt", "self_sha256", "item_ids_sha256", "provenance"}
    provenance = run.get("provenance", {})
    return {
        **{key: value for key, value in run.items() if key not in left_out},
        "n_entries": found.shape[0],
        "n_labels": found.shape[1],
        "items_hash": hashes.items_hash,
        "content_hash": hashes.content_hash,
        "shards": found.entries,
        "items": file_entry(folder / ITEMS, name=ITEMS, rows=found.rows),
        "provenance": {**provenance, "runs": [*_merged_runs(provenance), *found.runs.values()]},
    }


def _merged_runs(provenance: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs of the caches that were merged into this one."""
    return [run for part in provenance.get("merged", []) for run in part["provenance"].get("runs", [])]


def _add_cost(runs: dict[str, dict[str, Any]], cost: dict[str, Any], *, path: Path) -> None:
    """Add what a shard cost, if that is known, to the line of the run that made it (told apart by its start)."""
    if not cost:
        return
    try:
        check_kinds({"cost": cost}, {"cost": dict}, what="its attribute")
        check_kinds(cost, dict.fromkeys(_COST_SUMS, int | float), what="its cost")
    except ValueError as error:
        raise LagerError(f"{path} is damaged ({error}); remove it and run the same extraction again") from None
    run = runs.setdefault(canonical_json([cost.get("run"), cost.get("devices")]), {**cost, "shards": 0})
    if run["shards"]:
        for key in _COST_SUMS:
            run[key] = run.get(key, 0) + cost.get(key, 0)
        run["end"] = max(str(run.get("end", "")), str(cost.get("end", "")))
    run["shards"] += 1
