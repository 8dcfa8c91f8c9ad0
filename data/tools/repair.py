"""Repairing a cache: damaged shards are set aside, and a lost manifest is made again from what is sound."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..cache.manifest import ITEMS, MANIFEST, RUN, read_manifest, read_run, shard_name
from ..cache.shards import optional_names
from ..errors import LagerError
from ..files.canonical import sha256_file
from ..files.location import only_folder
from ..files.parquet import read_parquet
from ..items.item_table import ITEM
from ..items.small_files import check_unique
from ..run.cache_writer import CacheWriter
from ..run.finalize import finalize_cache
from ..run.set_aside import keep_damaged
from .own_cache import refuse_extracting


class Repair(NamedTuple):
    """What a repair did.

    Attributes
    ----------
    complete : bool
        Whether the cache is sound and complete now.
    aside : list of str
        Files that were moved into the folder ``damaged``.
    missing : list of int
        Shards that an extraction has to make again.
    """

    complete: bool
    aside: list[str]
    missing: list[int]


def repair_cache(path: str | Path) -> Repair:
    """Set damaged files aside and, when nothing is missing then, write the manifest; not beside an extraction."""
    folder = only_folder(path)
    if not (folder / RUN).exists():
        raise LagerError(f"{folder} has no {RUN}, so nothing tells what its shards should be: restore that file")
    refuse_extracting(folder)
    writer = CacheWriter(folder, read_run(folder))
    listed = _listed(folder)
    ids = _item_ids(folder, listed)
    bad = [k for k in range(writer.n_shards) if not _is_sound(writer, k, ids, listed)]
    aside = [shard_name(k) for k in bad if (folder / shard_name(k)).exists()]
    if ids is None and (folder / ITEMS).exists():
        aside.append(ITEMS)
    carried = not bad and all(ITEM in optional_names(folder / shard_name(k)) for k in range(writer.n_shards))
    complete = not bad and (ids is not None or carried)
    if not complete and (folder / MANIFEST).exists():
        aside.append(MANIFEST)
    for name in aside:
        keep_damaged(folder, name)
    if complete:
        finalize_cache(folder)
    return Repair(complete, aside, bad)


def _listed(folder: Path) -> dict[str, str]:
    """Return the checksums that a sound manifest lists; nothing when it is lost or damaged."""
    try:
        manifest = read_manifest(folder)
    except LagerError:
        return {}
    return {entry["file"]: entry["sha256"] for entry in [*manifest["shards"], manifest["items"]]}


def _item_ids(folder: Path, listed: dict[str, str]) -> list[str] | None:
    """Return the ids of the item table, or None when it is lost or damaged."""
    path = folder / ITEMS
    if not _fits(path, listed.get(ITEMS)):
        return None
    try:
        ids: list[str] = read_parquet(path, what="item table", columns=["item_id"])["item_id"].to_list()
        check_unique(ids, path=path)
    except LagerError:
        return None
    return ids


def _is_sound(writer: CacheWriter, shard: int, ids: list[str] | None, listed: dict[str, str]) -> bool:
    name, rows = shard_name(shard), writer.rows(shard)
    data = writer.read_sound(shard) if _fits(writer.path / name, listed.get(name)) else None
    return data is not None and len(data) == len(rows) and (ids is None or data.item_id == ids[rows.start : rows.stop])


def _fits(path: Path, listed: str | None) -> bool:
    """Return whether a file is there and, where a checksum is listed, has it."""
    return path.exists() and (listed is None or sha256_file(path) == listed)
