"""The copy of a cache that is pushed: without texts, hidden states and single annotators' scores, unless asked for."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl

from ..cache.feature_cache import FeatureCache
from ..cache.manifest import ITEMS, content_hash, file_entry, sealed
from ..cache.shards import ShardData, optional_names, read_attributes, read_columns, row_digests, write_shard
from ..cache.sorted_digests import SortedDigests, rows_of_a_run
from ..errors import LagerError
from ..files.canonical import sha256_file
from ..files.writing import replacing
from ..items.raters import RATED_BY, has_raters

#: What goes only when it is asked for.
INCLUDABLE = ("text", "hidden", "scores")
_TEXT_COLUMNS = ("text", "generated")
_KEPT_ATTRIBUTES = ("format", "format_version", "fingerprint", "fingerprint_inputs", "readout_id", "scale", "shard",
                    "rows", "cost")  # fmt: skip
_REQUIRED = tuple(f.name for f in fields(ShardData) if f.name != "optional")


class CopyOfCache:
    """Makes the files of a cache's copy one by one.

    Parameters
    ----------
    cache : FeatureCache
        The cache, complete.
    include : sequence of str
        Some of `INCLUDABLE`. With all of them the copy's files are the cache's own.
    scratch : Path
        Where files are made.

    Raises
    ------
    LagerError
        When `include` names something else.
    """

    def __init__(self, cache: FeatureCache, include: Sequence[str], scratch: Path) -> None:
        if unknown := sorted(set(include) - set(INCLUDABLE)):
            raise LagerError(f"--include {', '.join(unknown)}: expected some of {', '.join(INCLUDABLE)}, with commas")
        self.cache, self.include, self.scratch = cache, frozenset(include), scratch
        self.is_whole = self.include == frozenset(INCLUDABLE)
        self._own = {entry["file"]: entry for entry in (cache.manifest["items"], *cache.manifest["shards"])}
        self._entries: dict[str, dict[str, Any]] = {}
        self._digests = SortedDigests(scratch, run_rows=rows_of_a_run(cache.n_items))
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """The files of the copy but for its manifest, the items first."""
        return list(self._own)

    def make(self, name: str) -> tuple[Path, dict[str, Any]]:
        """Return a file of the copy and what its manifest says of it."""
        own = self._own[name]
        path = self.cache.path / name
        if (found := sha256_file(path)) != own["sha256"]:
            raise LagerError(
                f"{path} changed after the cache was written (its sha256 is {found[:12]}..., the manifest says "
                f"{own['sha256'][:12]}...): restore it before the cache is pushed"
            )
        if not self.is_whole:
            path = self._derived_items() if name == ITEMS else self._derived_shard(name)
        entry = file_entry(path, name=name, rows=own["rows"])
        self._entries[name] = entry
        return path, entry

    def manifest(self) -> dict[str, Any]:
        """Return the copy's manifest; every file must have been made.

        A copy that leaves something out has a content hash of its own and says what it was derived from.
        """
        own = self.cache.manifest
        entries = {"items": self._entries[ITEMS], "shards": [self._entries[name] for name in self.names[1:]]}
        if self.is_whole:
            return sealed({**own, **entries})
        return sealed(
            {
                **own,
                **entries,
                "content_hash": self._digests.hashes().content_hash,
                "derived_from": {
                    "content_hash": own["content_hash"],
                    "left_out": sorted({*INCLUDABLE} - self.include | {*left_out(own)}),
                },
            }
        )

    def _derived_items(self) -> Path:
        table = self.cache.items
        if "text" not in self.include:
            table = table.drop(_TEXT_COLUMNS, strict=False)
        if "scores" not in self.include:
            table = table.with_columns(mean_of_annotators(table["scores"]))
            table = table.drop(RATED_BY) if has_raters(table) else table
        path = self.scratch / ITEMS
        with replacing(path) as temporary:
            table.write_parquet(temporary)
        return path

    def _derived_shard(self, name: str) -> Path:
        source, path = self.cache.path / name, self.scratch / name
        wanted = [optional for optional in optional_names(source) if self._goes(optional)]
        columns = read_columns(source, [*_REQUIRED, *wanted])
        data = ShardData(**{key: columns[key] for key in _REQUIRED}, optional={key: columns[key] for key in wanted})
        digests = row_digests(data)
        attributes = read_attributes(source)
        kept = {key: attributes[key] for key in _KEPT_ATTRIBUTES if key in attributes}
        path.unlink(missing_ok=True)
        write_shard(path, data, attributes={**kept, "content_hash": content_hash(data.item_id, digests)})
        with self._lock:
            self._digests.add(data.item_id, [row.tobytes() for row in data.prompt_sha256], digests)
        return path

    def _goes(self, dataset: str) -> bool:
        """Return whether an optional dataset of a shard is part of the copy; one that is not known here is not."""
        if re.fullmatch(r"hidden_(scale_)?[a-z]+", dataset):
            return "hidden" in self.include
        if dataset in _TEXT_COLUMNS:
            return "text" in self.include
        return dataset == "label_form"


def left_out(manifest: dict[str, Any]) -> list[str]:
    """Return what a cache leaves out of the one it was derived from, empty for one that was extracted."""
    derived_from = manifest.get("derived_from")
    listed = derived_from.get("left_out") if isinstance(derived_from, dict) else None
    return [str(name) for name in listed] if isinstance(listed, list) else []


def mean_of_annotators(scores: pl.Series) -> pl.Series:
    """Return each item's scores as a list of their mean alone, empty where there are none."""
    frame = scores.to_frame("scores").select(
        pl.when(pl.col("scores").list.len() > 0)
        .then(pl.concat_list(pl.col("scores").list.mean()))
        .otherwise(pl.lit([], dtype=pl.List(pl.Float64)))
        .alias("scores")
    )
    return frame["scores"]


@contextmanager
def scratch_beside(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside a cache, on the same disk, or elsewhere when that cannot be written."""
    try:
        made = tempfile.mkdtemp(prefix=f".{folder.name}.push-", dir=folder.parent)
    except OSError:
        made = tempfile.mkdtemp(prefix="lager-push-")
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)
