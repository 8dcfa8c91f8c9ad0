"""Checking a whole cache: every file, every row; all faults are told, not the first one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..cache.manifest import ITEMS, MANIFEST, RUN, content_hash, items_hash, read_manifest, read_run
from ..cache.read_item_table import read_item_table
from ..cache.shards import ShardData, claimed_bytes, read_attributes, read_shard, row_digests
from ..errors import LagerError
from ..files.bounds import most_bytes
from ..files.canonical import sha256_file
from ..files.location import only_folder
from ..items.small_files import check_unique


class Fault(NamedTuple):
    """Something that is wrong with a cache.

    Attributes
    ----------
    file : str
        Path inside the cache.
    what : str
        What was got and what was expected.
    """

    file: str
    what: str


def verify_cache(path: str | Path) -> list[Fault]:
    """Check a cache from end to end.

    Checksums and seals of all files; each shard against the manifest and against its own content hash; row counts,
    shapes, finiteness of valid rows; ids unique and the same in shards and items; items hash and content hash.
    """
    folder = only_folder(path)
    faults: list[Fault] = []
    try:
        manifest = read_manifest(folder)
    except LagerError as error:
        if not (folder / MANIFEST).exists():
            raise
        return [Fault(MANIFEST, str(error))]
    if (folder / RUN).exists():  # a cache that was copied or merged may have none
        faults += _guarded(RUN, lambda: read_run(folder))
    try:
        table = read_item_table(folder, manifest)
    except LagerError as error:
        faults.append(Fault(ITEMS, str(error)))
    ids: list[str] = []
    prompts: list[bytes] = []
    digests: list[bytes] = []
    claimed = stored = 0
    for entry in manifest["shards"]:
        found, data, claims = _check_shard(folder, manifest, entry)
        claimed, stored = claimed + claims, stored + ((folder / entry["file"]).stat().st_size if claims else 0)
        if claimed > most_bytes(stored):  # each by itself may be in bounds, and all together take hours
            return [*faults, Fault("shards", f"they claim {claimed} bytes and store {stored}")]
        faults += found
        if data is not None:
            ids += data.item_id
            prompts += [row.tobytes() for row in data.prompt_sha256]
            digests += row_digests(data)
    if faults:
        return faults
    faults += _guarded("shards", lambda: check_unique(ids, path=folder))
    if ids != table["item_id"].to_list():
        faults.append(Fault(ITEMS, "its ids are not those of the shards, in their order"))
    for name, value in (("items_hash", items_hash(ids, prompts)), ("content_hash", content_hash(ids, digests))):
        if manifest[name] != value:
            faults.append(Fault(MANIFEST, f"{name} is {manifest[name][:12]}..., the shards give {value[:12]}..."))
    return faults


def _guarded(file: str, check: Callable[[], object]) -> list[Fault]:
    try:
        check()
    except LagerError as error:
        return [Fault(file, str(error))]
    return []


def _check_shard(
    folder: Path, manifest: dict[str, Any], entry: dict[str, Any]
) -> tuple[list[Fault], ShardData | None, int]:
    """Return a shard's faults, its rows where they can be read, and how many bytes it claims to hold."""
    name = entry["file"]
    path = folder / name
    if not path.exists():
        return [Fault(name, "is missing")], None, 0
    if (found := sha256_file(path)) != entry["sha256"]:
        return (
            [Fault(name, f"its sha256 is {found[:12]}..., the manifest says {str(entry['sha256'])[:12]}...")],
            None,
            0,
        )
    try:
        if (claims := claimed_bytes(path)) > most_bytes(size := path.stat().st_size):
            return [Fault(name, f"it claims {claims} bytes and stores {size}")], None, 0
        data, attributes = read_shard(path), read_attributes(path)
    except LagerError as error:
        return [Fault(name, str(error))], None, 0
    expected = (entry["rows"], manifest["n_entries"], manifest["n_labels"])
    wrong = []
    if data.logits.shape != expected or data.logits_normed.shape != expected:
        wrong.append(f"its read-outs have shape {data.logits.shape}, the manifest says {expected}")
    if attributes.get("fingerprint") != manifest["fingerprint"]:
        wrong.append("it was read in another way than the manifest says (another fingerprint)")
    if not np.isfinite(data.logits[data.valid]).all() or not np.isfinite(data.logits_normed[data.valid, -1]).all():
        wrong.append("a valid row has a read-out that is not finite")
    return [Fault(name, what) for what in wrong], data, claims
