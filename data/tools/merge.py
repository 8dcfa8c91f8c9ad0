"""Joining caches that were read in the same way into one, shard by shard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from ..cache.feature_cache import FeatureCache
from ..cache.manifest import MANIFEST, RUN, differing, read_run
from ..cache.same_readouts import differing_readouts
from ..cache.shard_rows import TOLERANCE, repacked
from ..cache.shards import STRINGS, optional_names
from ..errors import LagerError
from ..files.writing import refuse_existing
from ..run.cache_writer import CacheWriter
from .common_rows import CommonRows

_IDENTITY = ("readout_inputs", "scale", "recorded")


class Merged(NamedTuple):
    """What a merge made.

    Attributes
    ----------
    cache : FeatureCache
        The new cache.
    n_common : int
        Rows that were left out because an earlier cache has the same item.
    """

    cache: FeatureCache
    n_common: int


def merge_caches(paths: Sequence[str | Path], *, out: str | Path, tolerance: float = TOLERANCE) -> Merged:
    """Write one cache with the items of several, in their order; an item that several have is kept once.

    Little more than a shard of each cache is in memory at a time. An interrupted merge goes on when it is run again.
    """
    out = Path(out)
    if not 0 <= tolerance < 1:
        raise LagerError(f"tolerance {tolerance:g}: expected at least 0 and less than 1")
    caches = [FeatureCache.open(path) for path in paths]
    if len({cache.path.resolve() for cache in caches}) < max(2, len(caches)):
        raise LagerError("merging takes at least two caches, each of them named once")
    if (out / MANIFEST).exists():
        refuse_existing(out, what="cache")
    for other in caches[1:]:
        _check_same_reading(caches[0], other)
    common = CommonRows(caches, tolerance=tolerance)
    first = caches[0].manifest
    items = _joined_items(caches)
    writer = CacheWriter.start(
        out,
        identity={"inputs": first["fingerprint_inputs"], **{name: first[name] for name in _IDENTITY}},
        item_id=items["item_id"].to_list(),
        shard_size=first["shard_size"],
        options={"merged": [cache.content_hash for cache in caches]},
        provenance=_provenance(caches),
        private=first["private"],
        salt=_common_salt(caches),
    )
    for k, data in enumerate(repacked(common.kept_rows(), writer.shard_size)):
        rows = writer.rows(k)
        writer.write(k, data, items=items[rows.start : rows.stop])
    merged = writer.finalize()
    return Merged(merged, sum(cache.n_items for cache in caches) - merged.n_items)


def _check_same_reading(first: FeatureCache, other: FeatureCache) -> None:
    fields = differing_readouts(first.manifest["readout_inputs"], other.manifest["readout_inputs"])
    if first.fingerprint != other.fingerprint:
        fields = differing(*(cache.manifest["fingerprint_inputs"] for cache in (first, other))) or ["fingerprint"]
    if fields:
        raise LagerError(
            f"caches {first.path} and {other.path} were read in different ways ({', '.join(fields)} differ): only "
            "caches of one fingerprint can be merged; extract one again with the other's settings"
        )
    if first.private != other.private:
        keyed, plain = (first, other) if first.private else (other, first)
        raise LagerError(
            f"cache {keyed.path} is private and {plain.path} is not, so their prompt hashes cannot be compared: "
            "extract both sets of items into one cache"
        )
    mine, theirs = ({*_optional(cache)} - set(STRINGS) for cache in (first, other))
    if mine != theirs:
        raise LagerError(
            f"caches {first.path} and {other.path} hold different datasets ({', '.join(sorted(mine ^ theirs))}): "
            "extract one of them again"
        )


def _optional(cache: FeatureCache) -> list[str]:
    return optional_names(cache.path / cache.manifest["shards"][0]["file"])


def _common_salt(caches: Sequence[FeatureCache]) -> str:
    """Return the secret of private caches, empty for others; an error unless all have the same."""
    if not caches[0].private:
        return ""
    salts = {}
    for cache in caches:
        if not (cache.path / RUN).exists():
            raise LagerError(
                f"cache {cache.path} is private and has no {RUN} with its secret, so its prompt hashes cannot be "
                "compared with others: merge where it was made"
            )
        salts[read_run(cache.path)["salt"]] = cache.path
    if len(salts) > 1:
        raise LagerError(
            f"the caches are private with {len(salts)} secrets ({', '.join(map(str, salts.values()))}), so their "
            "prompt hashes cannot be compared: extract all items into one cache"
        )
    return str(next(iter(salts)))


def _joined_items(caches: Sequence[FeatureCache]) -> pl.DataFrame:
    """Return the item table: columns that only some caches have are null in the rows of the others."""
    tables = pl.concat([cache.items for cache in caches], how="diagonal")
    return tables.unique("item_id", keep="first", maintain_order=True)


def _provenance(caches: Sequence[FeatureCache]) -> dict[str, Any]:
    """Return what is told of the merged caches; their source, where they share it."""
    merged = [
        {name: cache.manifest[name] for name in ("content_hash", "items_hash", "n_items", "recorded", "provenance")}
        for cache in caches
    ]
    sources = [part["provenance"].get("source", {}) for part in merged]
    same = all(source == sources[0] for source in sources)
    return {"merged": merged, "source": sources[0] if same else {}}
