"""The shards of one cache as one table: any rows of any datasets, without reading the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import LagerError
from ..files.canonical import sha256_file
from .manifest import ITEMS
from .shards import REQUIRED, read_columns, read_shapes

READOUTS = ("logits", "logits_normed")


class ShardFiles:
    """Reads rows of a complete cache, from the shards that hold them; each is compared with its checksum before.

    Parameters
    ----------
    folder : Path
        The cache.
    manifest : dict
        What the cache says of itself.
    item_id : polars.Series
        The ids of the item table, which the shards' have to equal.
    verify : bool
        Whether checksums are compared.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], item_id: pl.Series, *, verify: bool) -> None:
        self._folder = folder
        self._shards: list[dict[str, Any]] = manifest["shards"]
        self._item_id = item_id
        self._verify = verify
        self._checked: set[int] = set()
        self._known = set(REQUIRED)
        self._starts = np.concatenate([[0], np.cumsum([shard["rows"] for shard in self._shards])]).astype(np.intp)
        self.entry_shape: tuple[int, int] = (manifest["n_entries"], manifest["n_labels"])

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._starts[-1])

    def read(
        self, names: Sequence[str], rows: NDArray[np.intp] | range, *, entries: slice | Sequence[int] = slice(None)
    ) -> dict[str, Any]:
        """Return datasets of some rows, in the order of `rows`."""
        rows = np.asarray(rows, dtype=np.intp)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise LagerError(f"cache {self._folder} has rows 0 to {len(self) - 1}, got {rows.min()} to {rows.max()}")
        ascending = bool((rows[1:] >= rows[:-1]).all())
        order = None if ascending else np.argsort(rows, kind="stable")
        out: dict[str, Any] = {}
        done = 0
        self._require(names)
        for k, wanted in self._by_shard(rows if order is None else rows[order]):
            part = range(int(wanted[0]), int(wanted[-1]) + 1)
            self.check(k)
            columns = read_columns(self._path(k), list(names), rows=self._shards[k]["rows"], part=part)
            whole = len(wanted) == len(part)
            place: Any = slice(done, done + len(wanted))
            place = place if order is None else order[place]
            for name in names:
                values = self._kept(name, columns[name], entries)
                if name not in out:
                    out[name] = np.empty((len(rows), *values.shape[1:]), values.dtype)
                out[name][place] = values if whole else values[wanted - part.start]
            done += len(wanted)
        if len(rows):
            return out
        return {
            name: self._kept(name, values, entries)
            for name, values in read_columns(self._path(0), list(names), part=range(0)).items()
        }

    def column(self, name: str) -> Any:
        """Return a dataset of every row."""
        return self.read([name], range(len(self)))[name]

    def check_all(self) -> None:
        """Compare every shard with the manifest and the item table."""
        for k in range(len(self._shards)):
            self.check(k)

    def check(self, k: int) -> None:
        """Compare a shard with the manifest and the item table, once."""
        if k in self._checked:
            return
        shard, path = self._shards[k], self._path(k)
        if not path.exists():
            raise LagerError(
                f"cache {self._folder}: {shard['file']} is missing; restore it, or run the extraction again"
            )
        if self._verify:
            check_sha256(path, shard["sha256"])
        ids = read_columns(path, ["item_id"], rows=shard["rows"])["item_id"]
        if ids != self._item_id[int(self._starts[k]) : int(self._starts[k + 1])].to_list():
            raise LagerError(f"cache {self._folder}: {shard['file']} and {ITEMS} name different items; restore them")
        self._checked.add(k)

    def _path(self, k: int) -> Path:
        return self._folder / str(self._shards[k]["file"])

    def _by_shard(self, rows: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Yield each shard that ascending rows lie in, and their places in it."""
        bounds = np.searchsorted(rows, self._starts)
        for k in np.flatnonzero(np.diff(bounds)).tolist():
            yield k, rows[bounds[k] : bounds[k + 1]] - self._starts[k]

    def _kept(self, name: str, values: Any, entries: slice | Sequence[int]) -> NDArray[Any]:
        if isinstance(values, list):
            return np.array(values, dtype=object)
        if name in READOUTS and values.shape[1:] != self.entry_shape:
            raise LagerError(
                f"cache {self._folder}: {name} has shape {values.shape}, the manifest says {self.entry_shape} an item"
            )
        has_layers = name in READOUTS or name.startswith("hidden_")
        return np.asarray(values[:, entries]) if has_layers else np.asarray(values)

    def _require(self, names: Sequence[str]) -> None:
        """Raise `LagerError` for names that the first shard has no dataset of."""
        if unknown := [name for name in names if name not in self._known]:
            self.check(0)
            self._known |= set(read_shapes(self._path(0)))
            if unknown := [name for name in unknown if name not in self._known]:
                raise LagerError(
                    f"cache {self._folder} has no dataset {unknown[0]!r}: it has {', '.join(sorted(self._known))}"
                )


def check_sha256(path: Path, expected: Any) -> str:
    """Return a file's checksum, which must be the manifest's."""
    try:
        found = sha256_file(path)
    except OSError as error:
        raise LagerError(f"cannot read {path}: {error.strerror or error}; restore it from a copy") from None
    if found != expected:
        raise LagerError(
            f"{path} changed after the cache was written (its sha256 is {found[:12]}..., the manifest says "
            f"{str(expected)[:12]}...): restore it from a copy, or remove it and run the same extraction again"
        )
    return found
