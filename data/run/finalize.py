"""Finalising a cache: its shards are checked, the item table is written, and last the manifest.

It needs the folder alone and no model, so it can run anywhere, at any time, and again: the same shards give the same
cache. Shards are read a few at a time; memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..cache.manifest import (
    ITEMS,
    MANIFEST,
    PASS_LIMITS,
    RUN,
    check_kinds,
    file_entry,
    read_manifest,
    read_run,
    sealed,
    shard_name,
)  # fmt: skip
from ..cache.shards import read_columns
from ..cache.sorted_digests import CacheHashes, SortedDigests, rows_of_a_run
from ..errors import LagerError
from ..files.canonical import canonical_json, sha256_file
from ..files.known_files import remember
from ..files.location import only_folder
from ..files.parquet import read_parquet, write_blocks
from ..files.writing import replacing, write_json
from ..items.item_table import GENERATED, ITEM, TEXT, decode_rows
from ..machine import for_each
from .set_aside import remove_taken
from .shard_facts import ShardFacts, shard_facts

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


def finalize_cache(path: str | Path, *, jobs: int | None = None) -> Finalized:
    """Check the shards of a run, write the item table from them and, last, the manifest.

    A cache that is complete and true already stays as it is.
    """
    folder = only_folder(path)
    if not (folder / RUN).exists():
        raise LagerError(f"{folder} has no {RUN}, so nothing tells what its shards should be: restore that file")
    run = read_run(folder)
    n_shards = -(-run["n_items"] // run["shard_size"])
    if missing := missing_shards(folder, n_shards):
        raise LagerError(
            f"cache {folder}: {len(missing)} of {n_shards} shards are missing ({listed(missing)}); run the same "
            "`lager extract` command again to read them"
        )
    found, hashes = _read_shards(folder, run, n_shards, jobs)
    if not _is_current(folder, found, hashes):
        _write_items(folder, found, jobs)
        write_json(folder / MANIFEST, sealed(_manifest(folder, run, found, hashes)))
    remove_taken(folder, [entry["file"] for entry in found.entries])
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


def _read_shards(folder: Path, run: dict[str, Any], n_shards: int, jobs: int | None) -> tuple[_Shards, CacheHashes]:
    found, ids = _Shards(), hashlib.sha256(b"[")
    shards = [(folder / shard_name(k), shard_name(k), run["fingerprint"]) for k in range(n_shards)]
    with SortedDigests(folder, run_rows=rows_of_a_run(run["n_items"])) as digests:
        for k, facts in enumerate(for_each(shard_facts, shards, jobs=jobs)):
            _check_fits(folder, facts, found, rows=min(run["shard_size"], run["n_items"] - found.rows))
            ids.update(("," if k else "").encode() + canonical_json(facts.item_id)[1:-1].encode())
            digests.add(facts.item_id, facts.prompt_sha256, facts.digests)
            found.entries.append(facts.entry)
            found.schema |= facts.schema
            found.rows += len(facts.item_id)
            found.valid += facts.n_valid
            found.reasons.update(facts.reasons)
            found.masses.append(facts.masses)
            _add_cost(found.runs, facts.cost, path=folder / facts.entry["file"])
        ids.update(b"]")
        if ids.hexdigest() != run["item_ids_sha256"]:
            raise LagerError(f"cache {folder}: its shards hold other items than the input; run the extraction again")
        return found, digests.hashes()


def _check_fits(folder: Path, facts: ShardFacts, found: _Shards, *, rows: int) -> None:
    """Raise `LagerError` when a shard has other rows, shapes or datasets than it should."""
    if not found.entries:  # the first one sets what the others must be
        found.shape, found.numeric, found.text = facts.shape, set(facts.numeric), set(facts.text)
    if facts.numeric != found.numeric or facts.shape != found.shape or len(facts.item_id) != rows:
        raise LagerError(
            f"{folder / facts.entry['file']} has {len(facts.item_id)} rows of shape {facts.shape} and "
            f"{', '.join(sorted(facts.numeric)) or 'no further datasets'}, expected {rows} of {found.shape} and "
            f"{', '.join(sorted(found.numeric)) or 'none'} as in the shards before it; remove it and run the "
            "extraction again"
        )
    found.text &= facts.text


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


def _write_items(folder: Path, found: _Shards, jobs: int | None) -> None:
    """Write the item table; one that is there stays where the shards carry none, as those of earlier versions."""
    if ITEM not in found.text:
        _check_items(folder, found)
        return
    schema = dict(found.schema)
    if TEXT in schema and GENERATED in found.text:
        schema[GENERATED] = pl.String
    with replacing(folder / ITEMS) as temporary:
        # What the judge wrote is a column, unless the rows have it themselves.
        written = GENERATED in schema and GENERATED not in found.schema
        shards = [(folder / entry["file"], entry["rows"], schema, written) for entry in found.entries]
        write_blocks(partial(for_each, _table, shards, jobs=jobs), schema, temporary, group_rows=_GROUP_ROWS)


def _table(path: Path, rows: int, schema: dict[str, Any], written: bool) -> pl.DataFrame:
    """Return a shard's part of the item table."""
    columns = read_columns(path, ["item_id", ITEM, *([GENERATED] if written else [])], rows=rows)
    table = decode_rows(columns["item_id"], columns[ITEM], schema=schema, path=path)
    return table.with_columns(pl.Series(GENERATED, columns[GENERATED], dtype=pl.String)) if written else table


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
    left_out = {"salt", "self_sha256", "item_ids_sha256", "provenance", PASS_LIMITS}
    provenance = run.get("provenance", {})
    items = file_entry(folder / ITEMS, name=ITEMS, rows=found.rows)
    remember(items["sha256"])
    return {
        **{key: value for key, value in run.items() if key not in left_out},
        "n_entries": found.shape[0],
        "n_labels": found.shape[1],
        "items_hash": hashes.items_hash,
        "content_hash": hashes.content_hash,
        "shards": found.entries,
        "items": items,
        "provenance": {**provenance, "runs": [*_merged_runs(provenance), *found.runs.values()]},
    }


def _merged_runs(provenance: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs of the caches that were merged into this one."""
    return [run for part in provenance.get("merged", []) for run in part["provenance"].get("runs", [])]


def _add_cost(runs: dict[str, dict[str, Any]], cost: dict[str, Any], *, path: Path) -> None:
    """Add what a shard cost, if that is known, to the lines of the runs that read its rows (told apart by start)."""
    if not cost:
        return
    try:
        check_kinds({"cost": cost}, {"cost": dict}, what="its attribute")
        check_kinds(cost, dict.fromkeys(_COST_SUMS, int | float), what="its cost")
        before = cost.get("before", [])
        check_kinds({"before": before}, {"before": list}, what="its cost")
    except ValueError as error:
        raise LagerError(f"{path} is damaged ({error}); remove it and run the same extraction again") from None
    for one in before:
        _add_cost(runs, one, path=path)
    cost = {key: value for key, value in cost.items() if key != "before"}
    key = canonical_json([cost.get("run"), cost.get("devices"), cost.get("versions")])
    run = runs.setdefault(key, {**cost, "shards": 0})
    if run["shards"]:
        for key in _COST_SUMS:
            run[key] = run.get(key, 0) + cost.get(key, 0)
        run["end"] = max(str(run.get("end", "")), str(cost.get("end", "")))
    run["shards"] += 1
