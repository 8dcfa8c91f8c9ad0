"""Writing a feature cache: run.json first, then shards, in any order and by any number of processes.

`lager.data.run.finalize` writes the item table and, last, the manifest.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..cache.feature_cache import FeatureCache
from ..cache.manifest import (
    MANIFEST,
    RUN,
    SHARDS,
    content_hash,
    differing,
    identity_record,
    read_run,
    sealed,
    shard_name,
)
from ..cache.shards import ShardData, read_attributes, row_digests, write_shard
from ..errors import LagerError
from ..files.canonical import canonical_json
from ..files.locks import locked
from ..files.writing import move_file, read_json, remove_file, remove_leftovers, replacing, write_json
from ..items.item_table import ITEM, encode_rows, text_sha256
from ..items.items import ItemIds, hash_ids
from ..safe_text import scrubbed_json
from .finalize import finalize_cache
from .set_aside import EARLIER, keep_damaged, set_all_aside, set_aside
from .shard_facts import sound_shard
from .shard_size import MOST_SHARDS, suggested_shard_size
from .worker_records import WORKERS


class CacheWriter:
    """Writes one cache; made by `CacheWriter.start`.

    Attributes
    ----------
    path : Path
        The cache's folder.
    n_items, shard_size, n_shards : int
        The plan: shard k holds the input rows [k * shard_size, (k + 1) * shard_size).
    notice : str or None
        What the user should be told, for instance that the stored shard size wins.
    salt : bytes
        Key of the prompt hashes of a private cache, empty otherwise.
    """

    def __init__(self, path: Path, run: Mapping[str, Any], *, notice: str | None = None) -> None:
        self.path = path
        self.run = dict(run)
        self.n_items: int = run["n_items"]
        self.shard_size: int = run["shard_size"]
        self.n_shards = -(-self.n_items // self.shard_size)
        self.salt = bytes.fromhex(run["salt"])
        self.notice = notice

    @classmethod
    def start(
        cls,
        path: Path,
        *,
        identity: Mapping[str, Any],
        item_id: Sequence[str] | ItemIds,
        shard_size: int | None = None,
        options: Mapping[str, Any] | None = None,
        provenance: Mapping[str, Any] | None = None,
        private: bool = False,
        salt: str | None = None,
        new_items: bool = False,
    ) -> CacheWriter:
        """Start a cache in a new folder, or go on with one that the same command started."""
        if shard_size is not None and shard_size < 1:
            raise LagerError(f"shard size {shard_size}: expected at least 1")
        ids = item_id if isinstance(item_id, ItemIds) else hash_ids([item_id])
        if not ids.n:
            raise LagerError("there are no items: a cache needs at least one")
        run = {
            **identity_record({**identity, "recorded": scrubbed_json(identity["recorded"])}),
            "n_items": ids.n,
            "item_ids_sha256": ids.sha256,
            "shard_size": shard_size or suggested_shard_size(ids.n),
            "options": scrubbed_json(dict(options or {})),
            "provenance": scrubbed_json(dict(provenance or {})),
            "private": private,
            "salt": (salt or secrets.token_hex(32)) if private else "",
        }
        if not (path / RUN).exists():
            refuse_foreign(path)
            with replacing(path / RUN, keep_existing=True) as temporary:
                temporary.write_text(canonical_json(sealed(run)) + "\n", encoding="utf-8")
        # Of several workers that start at once one was first, and its record holds for all.
        return cls._resume(path, run, size_given=shard_size is not None, new_items=new_items)

    @classmethod
    def _resume(cls, path: Path, new: dict[str, Any], *, size_given: bool, new_items: bool) -> CacheWriter:
        """Go on with the run in a folder, or with another one over other items in its place."""
        run = read_run(path)
        if run["fingerprint"] != new["fingerprint"]:
            names = differing(run["fingerprint_inputs"], new["fingerprint_inputs"])
            raise LagerError(
                f"cache {path} was made with other settings ({', '.join(names)} differ): use those settings, or "
                "another folder for --cache"
            )
        if run["private"] != new["private"]:
            raise LagerError(f"cache {path} was started {'with' if run['private'] else 'without'} --private: keep that")
        for folder in (path, path / SHARDS):
            remove_leftovers(folder)
        notices = []
        if run["item_ids_sha256"] != new["item_ids_sha256"]:
            if not new_items:
                raise LagerError(
                    f"cache {path} holds a run over {run['n_items']} other items than the {new['n_items']} given: use "
                    "the same items in the same order, or another folder"
                )
            notices.append(
                f"was begun with {run['n_items']} items and goes on with the {new['n_items']} given now; rows of "
                f"others are kept in {EARLIER}/ for when they are given again"
            )
            run = _change_items(path, new)
        if size_given and run["shard_size"] != new["shard_size"]:
            notices.append(f"has shards of {run['shard_size']} rows: kept, not {new['shard_size']}")
        return cls(path, run, notice=f"cache {path} {'; it '.join(notices)}" if notices else None)

    def rows(self, shard: int) -> range:
        """Return the input rows of a shard."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.n_items))

    def is_done(self, shard: int, *, item_id: Sequence[str], prompt_sha256: NDArray[np.uint8]) -> bool:
        """Return whether the shard exists, is intact, and holds just these rows read in this way."""
        return self.read_done(shard, item_id=item_id, prompt_sha256=prompt_sha256) is not None

    def read_done(self, shard: int, *, item_id: Sequence[str], prompt_sha256: NDArray[np.uint8]) -> ShardData | None:
        """Return a shard that exists, is intact, and holds just these rows read in this way; None for any other."""
        data = self.read_sound(shard)
        same = data is not None and data.item_id == list(item_id) and np.array_equal(data.prompt_sha256, prompt_sha256)
        return data if same else None

    def read_sound(self, shard: int) -> ShardData | None:
        """Return a shard that exists, is intact and was read in this run's way; None for any other."""
        if not self.exists(shard):
            return None
        try:
            return sound_shard(self.path / shard_name(shard), fingerprint=self.run["fingerprint"])[0]
        except LagerError:
            return None  # a damaged shard is made again

    def finished(self) -> FeatureCache | None:
        """Return the cache when its manifest was written and every file still is what the manifest says."""
        if not (self.path / MANIFEST).exists():
            return None
        try:
            cache = FeatureCache.open(self.path)
            cache.check_files()
        except LagerError:
            return None
        return cache

    def write(
        self,
        shard: int,
        data: ShardData,
        *,
        items: pl.DataFrame,
        cost: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one shard, unless another process wrote the same one meanwhile."""
        if self.is_done(shard, item_id=data.item_id, prompt_sha256=data.prompt_sha256):
            return
        self._check_plan()
        self.make_room(shard)
        data = _with_items(data, items)
        write_shard(self.path / shard_name(shard), data, attributes=self._attributes(shard, data, cost or {}))

    def make_room(self, shard: int) -> Path | None:
        """Take away the manifest, and a shard that is not what was planned."""
        remove_file(self.path / MANIFEST)  # it would no longer be true
        if not self.exists(shard):
            return None
        if self.read_sound(shard) is not None:
            return set_aside(self.path, shard_name(shard))
        with suppress(FileNotFoundError):  # another process was faster
            keep_damaged(self.path, shard_name(shard))
        return None

    def restore(self, shard: int, path: Path) -> None:
        """Give a file that was set aside, and holds the rows of a shard, its name again."""
        self._check_plan()
        with suppress(FileNotFoundError):  # another process was faster
            move_file(path, self.path / shard_name(shard))

    def _check_plan(self) -> None:
        """Raise `LagerError` when the folder is gone, or another command gave the cache other items meanwhile."""
        check_still_there(self.path)
        run = read_json(self.path / RUN, what="run record", exact=True)
        if any(run.get(name) != self.run[name] for name in ("fingerprint", "item_ids_sha256", "shard_size", "salt")):
            raise LagerError(
                f"cache {self.path} was given other items by another command meanwhile: run the command again whose "
                "items it is to hold; rows that were read are taken over"
            )

    def keep(self, name: str, value: Any) -> None:
        """Keep something in run.json, outside of the fingerprint, for a run that goes on."""
        if self.run.get(name) == value:
            return
        try:
            with locked(self.path):
                self._check_plan()
                run = {**read_run(self.path), name: value}
                with replacing(self.path / RUN, parents=False) as temporary:
                    temporary.write_text(canonical_json(sealed(run)) + "\n", encoding="utf-8")
        except (LagerError, OSError):
            check_still_there(self.path)  # else that is why
            raise
        self.run = run

    def relabel(self, shard: int, data: ShardData, *, items: pl.DataFrame) -> None:
        """Give a shard that is done, and was read as `data`, other rows of the item table.

        Its read-outs stay, and a shard that carries just these rows is left alone.
        """
        new = _with_items(data, items)
        if data.optional.get(ITEM) == new.optional[ITEM]:
            return
        self._check_plan()
        path = self.path / shard_name(shard)
        cost = read_attributes(path)["cost"]
        remove_file(self.path / MANIFEST)
        write_shard(path, new, attributes=self._attributes(shard, new, cost), keep_existing=False)

    def _attributes(self, shard: int, data: ShardData, cost: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a shard says about itself."""
        names = ("format", "format_version", "fingerprint", "fingerprint_inputs", "readout_id", "scale")
        rows = self.rows(shard)
        return {
            **{name: self.run[name] for name in names},
            "shard": shard,
            "rows": [rows.start, rows.stop],
            "content_hash": content_hash(data.item_id, row_digests(data)),
            "text_sha256": text_sha256(data.optional),
            "cost": dict(cost),
        }

    def exists(self, shard: int) -> bool:
        """Return whether the shard has a file, sound or not."""
        return (self.path / shard_name(shard)).exists()

    def finalize(self) -> FeatureCache:
        """Finalise the folder, see `lager.data.run.finalize.finalize_cache`, and open the cache."""
        finalize_cache(self.path)
        return FeatureCache.open(self.path)


def _change_items(path: Path, new: dict[str, Any]) -> dict[str, Any]:
    """Put a run over other items in the place of a cache's, whose shards are set aside; return its record.

    The secret of a private cache stays, and the size of shards if it may. The record changes last: until then the
    command that the cache was begun with goes on from what was set aside, and from then on the new one does.
    """
    with locked(path):  # of workers that start at once, the first one does this
        run = read_run(path)
        if run["item_ids_sha256"] == new["item_ids_sha256"]:
            return run
        fits = -(-new["n_items"] // run["shard_size"]) <= MOST_SHARDS
        run = {**new, "salt": run["salt"], "shard_size": run["shard_size"] if fits else new["shard_size"]}
        remove_file(path / MANIFEST)  # it tells of the other items
        set_all_aside(path)
        write_json(path / RUN, sealed(run))
    return read_run(path)


def _with_items(data: ShardData, items: pl.DataFrame) -> ShardData:
    """Return the rows of a shard with those of the item table."""
    if items["item_id"].to_list() != data.item_id:
        raise ValueError("the rows of the item table must be those of the shard")
    return replace(data, optional={**data.optional, ITEM: encode_rows(items)})


def check_still_there(path: Path) -> None:
    """Raise `LagerError` when the folder of a run that goes on is gone, or was emptied."""
    if not (path / RUN).exists():
        raise LagerError(
            f"cache {path}: its folder was removed or emptied during the run ({RUN} is gone): run the same "
            "command again"
        )


def refuse_foreign(path: Path) -> None:
    """Raise `LagerError` for a URL, and when a folder without a run holds anything else than one that starts now."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)):
        raise LagerError(f"{path} is a URL: write the cache to a folder, then send it with `lager cache push`")
    if not path.exists() or (path / RUN).exists():
        return
    if not path.is_dir() or any(
        entry.name != WORKERS and not entry.name.startswith(f".{RUN}.") for entry in path.iterdir()
    ):
        if (path / RUN).exists():  # it started while this was looked at
            return
        raise LagerError(f"{path} exists and is not a feature cache: choose another folder for --cache")
