"""Writing a feature cache: run.json first, shards in any order, the manifest last."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .cache import FeatureCache
from .canonical import canonical_json, sha256_json
from .errors import LagerError
from .files import replacing, write_json
from .items import Items
from .manifest import (
    ITEMS,
    MANIFEST,
    RUN,
    content_hash,
    differing,
    file_entry,
    identity_record,
    items_hash,
    read_sealed,
    sealed,
    shard_name,
)
from .shards import ShardData, optional_names, read_attributes, read_columns, read_shard, row_digests, write_shard

DEFAULT_SHARD_SIZE = 512


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
        item_id: Sequence[str],
        shard_size: int = DEFAULT_SHARD_SIZE,
        options: Mapping[str, Any] | None = None,
        private: bool = False,
        salt: str | None = None,
    ) -> CacheWriter:
        """Start a cache in a new folder, or go on with one that the same command started.

        Parameters
        ----------
        path : Path
            The cache's folder.
        identity : mapping
            ``inputs``, ``readout_inputs``, ``scale`` and ``recorded``; see `lager.data.manifest.identity_record`.
        item_id : sequence of str
            All ids, in input order.
        shard_size : int
            Rows of a shard. A cache that is resumed keeps its own.
        options : mapping, optional
            The command's options, for the record.
        private : bool
            Whether prompt hashes are keyed with a secret that stays in run.json.
        salt : str, optional
            That secret in hexadecimal digits, where rows keyed with it are copied; drawn when None.

        Raises
        ------
        LagerError
            When the folder holds something else, or a run with other settings or other items.
        """
        if shard_size < 1:
            raise LagerError(f"shard size {shard_size}: expected at least 1")
        if (path / RUN).exists():
            return cls._resume(path, identity, item_id, shard_size, private=private)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise LagerError(f"{path} exists and is not a feature cache: choose another folder for --cache")
        if not item_id:
            raise LagerError("there are no items: a cache needs at least one")
        run = {
            **identity_record(identity),
            "n_items": len(item_id),
            "item_ids_sha256": sha256_json(list(item_id)),
            "shard_size": shard_size,
            "options": dict(options or {}),
            "private": private,
            "salt": (salt or secrets.token_hex(32)) if private else "",
        }
        write_json(path / RUN, sealed(run))
        return cls(path, run)

    @classmethod
    def _resume(
        cls, path: Path, identity: Mapping[str, Any], item_id: Sequence[str], shard_size: int, *, private: bool
    ) -> CacheWriter:
        run = read_sealed(path / RUN, what="run record")
        new = identity_record(identity)
        if run["fingerprint"] != new["fingerprint"]:
            names = differing(run["fingerprint_inputs"], new["fingerprint_inputs"])
            raise LagerError(
                f"cache {path} was made with other settings ({', '.join(names)} differ): use those settings, or "
                "another folder for --cache"
            )
        if run["item_ids_sha256"] != sha256_json(list(item_id)):
            raise LagerError(
                f"cache {path} holds a run over {run['n_items']} other items than the {len(item_id)} given: use the "
                "same item file, order and --limit, or another folder for --cache"
            )
        if run["private"] != private:
            raise LagerError(f"cache {path} was started {'with' if run['private'] else 'without'} --private: keep that")
        kept = run["shard_size"]
        notice = None if kept == shard_size else f"cache {path} has shards of {kept} rows: kept, not {shard_size}"
        return cls(path, run, notice=notice)

    def rows(self, shard: int) -> range:
        """Return the input rows of a shard."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.n_items))

    def is_done(self, shard: int, *, item_id: Sequence[str], prompt_sha256: NDArray[np.uint8]) -> bool:
        """Return whether the shard exists, is intact, and holds just these rows read in this way."""
        data = self.read_sound(shard)
        return data is not None and data.item_id == list(item_id) and np.array_equal(data.prompt_sha256, prompt_sha256)

    def read_sound(self, shard: int) -> ShardData | None:
        """Return a shard that exists, is intact and was read in this run's way; None for any other."""
        path = self.path / shard_name(shard)
        if not path.exists():
            return None
        try:
            attributes, data = read_attributes(path), read_shard(path)
        except LagerError:
            return None  # a damaged shard is made again
        sound = attributes.get("fingerprint") == self.run["fingerprint"] and attributes.get(
            "content_hash"
        ) == content_hash(data.item_id, row_digests(data))
        return data if sound else None

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

    def write(self, shard: int, data: ShardData, *, cost: Mapping[str, Any] | None = None) -> None:
        """Write one shard, unless another process wrote the same one meanwhile.

        `cost` (start, end, devices, device_seconds, tokens) goes to the provenance.
        """
        path = self.path / shard_name(shard)
        if self.is_done(shard, item_id=data.item_id, prompt_sha256=data.prompt_sha256):
            return
        (self.path / MANIFEST).unlink(missing_ok=True)  # it would no longer be true
        path.unlink(missing_ok=True)  # damaged, or of prompts that have changed
        identity = {key: self.run[key] for key in ("format", "format_version", "fingerprint", "fingerprint_inputs")}
        record = {**identity, "readout_id": self.run["readout_id"], "scale": self.run["scale"]}
        rows = self.rows(shard)
        attributes = {
            **record,
            "shard": shard,
            "rows": [rows.start, rows.stop],
            "content_hash": content_hash(data.item_id, row_digests(data)),
            "cost": dict(cost or {}),
        }
        write_shard(path, data, attributes=attributes)

    def finalize(
        self, items: Items, *, provenance: Mapping[str, Any], texts: Sequence[str] | None = None
    ) -> FeatureCache:
        """Check every shard, write the item table and, last, the manifest.

        Parameters
        ----------
        items : Items
            All items, in input order.
        provenance : mapping
            What to record about this run.
        texts : sequence of str, optional
            The prompts, stored with the items when given; with them what the judge wrote, where the shards have it.

        Raises
        ------
        LagerError
            When a shard is missing or does not fit.
        """
        items_path = self.path / ITEMS
        table = items.table if texts is None else items.table.with_columns(pl.Series("text", list(texts)))
        if texts is not None and (generated := self._generated_texts()):
            table = table.with_columns(pl.Series("generated", generated))
        with replacing(items_path) as temporary:
            table.write_parquet(temporary)
        return self.seal_shards(list(items.item_id), provenance={**provenance, "source": items.source})

    def _generated_texts(self) -> list[str]:
        """Return what the judge wrote, empty unless every shard keeps it."""
        paths = [path for k in range(self.n_shards) if (path := self.path / shard_name(k)).exists()]
        if not all("generated" in optional_names(path) for path in paths):
            return []
        return [text for path in paths for text in read_columns(path, ["generated"])["generated"]]

    def seal_shards(self, item_id: list[str], *, provenance: Mapping[str, Any]) -> FeatureCache:
        """Check that the shards hold these items, and write the manifest of the shards and the item table.

        Raises
        ------
        LagerError
            When a shard is missing or does not fit.
        """
        shards, ids, prompts, digests, costs = [], [], [], [], []
        shape: tuple[int, ...] = ()
        optional: set[str] | None = None
        for k in range(self.n_shards):
            path = self.path / shard_name(k)
            if not path.exists():
                raise LagerError(
                    f"cache {self.path}: shard {k} of {self.n_shards} is missing; run the extraction again"
                )
            data = read_shard(path)
            shape = data.logits.shape[1:]
            numeric = set(data.optional) - {"generated"}
            optional = numeric if optional is None else optional
            if numeric != optional:
                raise LagerError(f"cache {self.path}: {shard_name(k)} has other datasets than the shards before it")
            ids += data.item_id
            prompts += [row.tobytes() for row in data.prompt_sha256]
            digests += row_digests(data)
            costs.append(read_attributes(path)["cost"])
            shards.append(file_entry(path, name=shard_name(k), rows=len(data)))
        if ids != item_id:
            raise LagerError(f"cache {self.path}: its shards hold other items than the input; run the extraction again")
        kept = {key: value for key, value in self.run.items() if key not in {"salt", "self_sha256", "item_ids_sha256"}}
        manifest = {
            **kept,
            "n_entries": shape[0],
            "n_labels": shape[1],
            "items_hash": items_hash(ids, prompts),
            "content_hash": content_hash(ids, digests),
            "shards": shards,
            "items": file_entry(self.path / ITEMS, name=ITEMS, rows=len(ids)),
            "provenance": {**provenance, "runs": [*_merged_runs(provenance), *_by_run(costs)]},
        }
        write_json(self.path / MANIFEST, sealed(manifest))
        return FeatureCache.open(self.path)


def _merged_runs(provenance: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the runs of the caches that were merged into this one."""
    return [run for part in provenance.get("merged", []) for run in part["provenance"].get("runs", [])]


def _by_run(costs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add up what the shards cost, a line for each run that made some of them (told apart by its start)."""
    runs: dict[str, dict[str, Any]] = {}
    for cost in filter(None, costs):
        run = runs.setdefault(canonical_json([cost.get("run"), cost.get("devices")]), {**cost, "shards": 0})
        if run["shards"]:
            for key in ("device_seconds", "tokens", "computed_tokens"):
                run[key] = run.get(key, 0) + cost.get(key, 0)
            run["end"] = max(str(run.get("end", "")), str(cost.get("end", "")))
        run["shards"] += 1
    return list(runs.values())
