"""Dropping items from a cache for good: no file of its folder holds anything of them afterwards."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..cache.feature_cache import FeatureCache
from ..cache.manifest import ITEMS, MANIFEST, PASS_LIMITS, RUN, SHARDS, content_hash
from ..cache.shard_rows import repacked, take_rows
from ..cache.shards import ShardData, read_attributes, read_shard, row_digests, write_shard
from ..errors import LagerError
from ..files.known_files import forget_file
from ..files.location import only_folder
from ..items.item_table import ITEM, decode_rows, table_schema, text_sha256
from ..run.cache_writer import CacheWriter
from ..run.set_aside import DAMAGED, EARLIER
from ..run.worker_records import WORKERS
from .own_cache import own_run

_OURS = frozenset({ITEMS, MANIFEST, RUN, SHARDS, EARLIER, DAMAGED, WORKERS})
_IDENTITY = ("readout_inputs", "scale", "recorded")


class Dropped(NamedTuple):
    """What was dropped.

    Attributes
    ----------
    cache : FeatureCache
        What is left.
    n_items : int
        Rows that left its shards.
    n_earlier : int
        Rows that left its folder ``earlier``, damaged files there not counted.
    kept_files : list of str
        Files of the folder that are not part of a cache: they are not looked into.
    rows : set of (str, bytes)
        Id and prompt hash of each row that left, by which copies are found.
    """

    cache: FeatureCache
    n_items: int
    n_earlier: int
    kept_files: list[str]
    rows: set[tuple[str, bytes]]


def drop_items(path: str | Path, *, ids: Collection[str] = (), clusters: Collection[str] = ()) -> Dropped:
    """Make a complete cache one that never held some items, whose ids or clusters are given.

    A new cache is written beside it and takes its place; the manifest says how many items left, and when, not which.

    Raises
    ------
    LagerError
        When the cache is not complete, is a copy, is being extracted, or holds none of an id or cluster; nothing is
        changed then.
    """
    folder = only_folder(path).resolve()
    kept = _end_swap(folder)
    cache, run = FeatureCache.open(folder), own_run(folder, to="drop the items")
    cache.check_files()
    wanted = _Wanted(frozenset(ids), frozenset(clusters))
    gone = wanted.of(cache.items)
    earlier = list(_earlier_shards(folder, wanted))
    _check_found(folder, wanted, cache.items.filter(pl.Series(gone)), earlier)
    if gone.all():
        raise LagerError(f"cache {folder}: all of its {cache.n_items} items would go: remove its folder instead")
    rows = {(str(cache.item_id[i]), cache.prompt_sha256[i].tobytes()) for i in np.flatnonzero(gone)}
    for shard in earlier:
        for i in np.flatnonzero(shard.gone):
            rows.add((shard.data.item_id[i], shard.data.prompt_sha256[i].tobytes()))
    new = _beside(folder, "dropping")
    shutil.rmtree(new, ignore_errors=True)
    _write_rest(cache, run, gone, new)
    for shard in earlier:
        shard.write_rest(new)
    forget_file(cache.manifest["items"]["sha256"])
    folder.rename(_beside(folder, "dropped"))
    kept += _end_swap(folder)
    return Dropped(FeatureCache.open(folder), int(gone.sum()), sum(int(one.gone.sum()) for one in earlier), kept, rows)


class _Wanted(NamedTuple):
    """Which items go."""

    ids: frozenset[str]
    clusters: frozenset[str]

    def of(self, items: pl.DataFrame) -> NDArray[np.bool_]:
        """Return which rows of an item table they are."""
        cluster = items["cluster"].cast(pl.String)
        found = items["item_id"].is_in(list(self.ids)) | cluster.is_in(list(self.clusters)).fill_null(False)
        return found.to_numpy().astype(bool)


class _EarlierShard(NamedTuple):
    """A shard of the folder ``earlier``, and which of its rows go."""

    path: Path
    data: ShardData
    items: pl.DataFrame
    gone: NDArray[np.bool_]

    def write_rest(self, new: Path) -> None:
        """Write the rows that stay into the new cache's folder ``earlier``."""
        if self.gone.all():
            return
        target = new / EARLIER / self.path.name
        target.parent.mkdir(exist_ok=True)
        data = take_rows(self.data, np.flatnonzero(~self.gone))
        hashes = {
            "content_hash": content_hash(data.item_id, row_digests(data)),
            "text_sha256": text_sha256(data.optional),
        }
        write_shard(target, data, attributes={**read_attributes(self.path), **hashes})


def _earlier_shards(folder: Path, wanted: _Wanted) -> Iterator[_EarlierShard]:
    """Yield the sound shards of ``earlier``; what cannot be read is of no use, and goes with the old folder."""
    for path in sorted((folder / EARLIER).glob("*.h5")):
        try:
            data = read_shard(path)
            rows = data.optional.get(ITEM)
            if rows is None:  # an earlier version wrote it: nothing tells the clusters of its rows
                items = pl.DataFrame({"item_id": data.item_id, "cluster": [None] * len(data)})
                gone = np.full(len(data), bool(wanted.clusters)) | wanted.of(items)
            else:
                items = decode_rows(data.item_id, rows, schema=table_schema(rows[0], path=path), path=path)
                gone = wanted.of(items)
        except LagerError:
            continue
        yield _EarlierShard(path, data, items, gone)


def _check_found(folder: Path, wanted: _Wanted, items: pl.DataFrame, earlier: Collection[_EarlierShard]) -> None:
    """Raise `LagerError` when an id or cluster is nowhere in the cache: a name that is mistyped drops nothing."""
    tables = [items, *(one.items.filter(pl.Series(one.gone)) for one in earlier)]
    ids = {name for table in tables for name in table["item_id"].to_list()}
    clusters = {name for table in tables for name in table["cluster"].cast(pl.String).to_list()}
    missing = [*sorted(wanted.ids - ids), *sorted(wanted.clusters - clusters)]
    if missing or not ids:
        named = f"holds no item or cluster {missing[0]!r}" if missing else "was given neither ids nor clusters"
        more = f" and {len(missing) - 1} more that were given" if len(missing) > 1 else ""
        raise LagerError(f"cache {folder} {named}{more}: nothing was dropped")


def _write_rest(cache: FeatureCache, run: dict[str, Any], gone: NDArray[np.bool_], new: Path) -> None:
    """Write the rows that stay as a cache of their own, with the plan, secret and cost of the one they were in."""
    provenance = run["provenance"]
    note = {"items": int(gone.sum()), "at": time.strftime("%Y-%m-%d %H:%M:%S %z")}
    items = cache.items.filter(pl.Series(~gone))
    writer = CacheWriter.start(
        new,
        identity={"inputs": run["fingerprint_inputs"], **{name: run[name] for name in _IDENTITY}},
        item_id=items["item_id"].to_list(),
        shard_size=run["shard_size"],
        options=run["options"],
        provenance={**provenance, "dropped": [*provenance.get("dropped", []), note]},
        private=run["private"],
        salt=run["salt"],
    )
    if PASS_LIMITS in run:
        writer.keep(PASS_LIMITS, run[PASS_LIMITS])
    paths = [cache.path / entry["file"] for entry in cache.manifest["shards"]]
    costs = [cost for path in paths if (cost := read_attributes(path).get("cost"))]
    for k, data in enumerate(repacked(_staying(paths, gone), writer.shard_size)):
        rows = writer.rows(k)
        cost = {**costs[0], "before": [*costs[0].get("before", []), *costs[1:]]} if costs and not k else None
        writer.write(k, data, items=items[rows.start : rows.stop], cost=cost)
    writer.finalize()


def _staying(paths: list[Path], gone: NDArray[np.bool_]) -> Iterator[ShardData]:
    """Yield the rows of shards that do not go."""
    at = 0
    for path in paths:
        data = read_shard(path)
        yield take_rows(data, np.flatnonzero(~gone[at : at + len(data)]))
        at += len(data)


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")


def _end_swap(folder: Path) -> list[str]:
    """Let the new cache take the place of the old one, of which nothing stays; also where a call was interrupted.

    Returns the names of what is no part of a cache, and moves along.
    """
    new, old = _beside(folder, "dropping"), _beside(folder, "dropped")
    if not old.exists():
        return []
    if not folder.exists():
        new.rename(folder)
    names = sorted(path.name for path in old.iterdir() if path.name not in _OURS and not path.name.startswith("."))
    for name in names:
        (old / name).rename(folder / name)
    shutil.rmtree(old)
    return names
