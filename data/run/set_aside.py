"""Shards of a cache that are set aside: those of an earlier item list, whose rows are used again, and damaged ones.

When the items of a cache change (more of them, others, another order, another text under an id), its shards move to the
folder ``earlier``. A shard that holds exactly the rows of a new one moves back. From the others, new shards copy the
rows that they need; a row is found by its item id and the hash of its prompt. When the cache is complete, a file in
``earlier`` is removed if the cache holds all of its rows. Damaged files move to the folder ``damaged`` and stay there.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cache.manifest import SHARDS
from ..cache.shard_rows import join_rows, take_rows
from ..cache.shards import ShardData, optional_names, read_columns
from ..errors import LagerError
from ..files.writing import move_file
from .shard_facts import sound_shard

EARLIER = "earlier"
_HELD = 4  # shards in memory at once
_COUNTED = ("device_seconds", "tokens", "computed_tokens")


class Taken(NamedTuple):
    """Rows that an earlier run read and that need not be read again.

    Attributes
    ----------
    rows : ndarray of int
        Which of the rows that were asked for.
    data : ShardData or None
        These rows, in that order; None where there are none.
    costs : list of dict
        What reading them cost: of each shard's cost, the part that its rows are.
    """

    rows: NDArray[np.intp]
    data: ShardData | None
    costs: list[dict[str, Any]]


def set_aside(folder: Path, name: str) -> Path | None:
    """Move a shard of a cache to ``earlier`` under a new name; return its path, None when it was gone already."""
    target = folder / EARLIER / f"{Path(name).stem}-{secrets.token_hex(8)}.h5"
    try:
        move_file(folder / name, target)
    except FileNotFoundError:  # another process was faster
        return None
    return target


def set_all_aside(folder: Path) -> None:
    """Move all shards of a cache to ``earlier``."""
    for path in sorted((folder / SHARDS).glob("*.h5")):
        set_aside(folder, f"{SHARDS}/{path.name}")


class EarlierRows:
    """The rows of all shards in a cache's folder ``earlier``.

    Parameters
    ----------
    folder : Path
        The cache's folder.
    fingerprint : str
        How the cache is read; rows that were read in another way are not used.
    datasets : iterable of str
        The optional datasets that a row must have; others are dropped.
    """

    def __init__(self, folder: Path, *, fingerprint: str, datasets: Iterable[str] = ()) -> None:
        self.fingerprint, self.datasets = fingerprint, frozenset(datasets)
        self._places: dict[bytes, tuple[Path, int]] = {}
        self._held: OrderedDict[Path, tuple[ShardData, dict[str, Any]] | None] = OrderedDict()
        for path in sorted((folder / EARLIER).glob("*.h5")):
            self.add(path)

    def add(self, path: Path) -> None:
        """Add the rows of one more shard."""
        for row, key in enumerate(_keys(path, self.datasets) or []):
            self._places[key] = (path, row)

    def whole(self, item_id: Sequence[str], prompt_sha256: NDArray[np.uint8], *, start: int) -> Path | None:
        """Return a file of exactly these rows, in this order, from input row `start`; None where there is none."""
        places = [self._places.get(key) for key in map(_key, item_id, prompt_sha256)]
        path = places[0][0] if places and places[0] else None
        if path is None or any(place != (path, row) for row, place in enumerate(places)):
            return None
        found = self._sound(path)
        if found is None or len(found[0]) != len(places) or found[1].get("rows") != [start, start + len(places)]:
            return None
        return path

    def take(self, item_id: Sequence[str], prompt_sha256: NDArray[np.uint8]) -> Taken:
        """Return those of the given rows that an earlier run read."""
        wanted: dict[Path, list[tuple[int, int]]] = defaultdict(list)
        for i, key in enumerate(map(_key, item_id, prompt_sha256)):
            if key in self._places:
                path, row = self._places[key]
                wanted[path].append((i, row))
        rows, parts, costs = [], [], []
        for path, pairs in wanted.items():
            if (found := self._sound(path)) is None:
                continue
            data, attributes = found
            rows += [i for i, _ in pairs]
            parts.append(take_rows(data, [row for _, row in pairs], drop=frozenset(data.optional) - self.datasets))
            costs += _shares(attributes.get("cost", {}), len(pairs) / len(data))
        return Taken(np.array(rows, dtype=np.intp), join_rows(parts) if parts else None, costs)

    def _sound(self, path: Path) -> tuple[ShardData, dict[str, Any]] | None:
        """Return a shard and its attributes; None when it is damaged, so that its rows are read again."""
        if path not in self._held:
            try:
                data, attributes = sound_shard(path, fingerprint=self.fingerprint)
                self._held[path] = (data, attributes)
            except LagerError:
                self._held[path] = None
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        return self._held[path]


def remove_taken(folder: Path, shards: Iterable[str]) -> int:
    """Remove the files in ``earlier`` whose rows are all in the shards of the complete cache."""
    found = {path: _keys(path) for path in (folder / EARLIER).glob("*.h5")}
    left = {path: set(keys) for path, keys in found.items() if keys is not None}
    if left:
        for name in shards:
            here = _keys(folder / name) or []
            for keys in left.values():
                keys.difference_update(here)
    for path, keys in left.items():
        if not keys:
            path.unlink(missing_ok=True)
    if found and not any((folder / EARLIER).iterdir()):
        with suppress(OSError):  # another process sets a shard aside at this moment
            (folder / EARLIER).rmdir()
    return len(set().union(*left.values()))


def _keys(path: Path, datasets: frozenset[str] = frozenset()) -> list[bytes] | None:
    """Return the key of each row of a shard; None when the shard is damaged or lacks one of `datasets`."""
    try:
        if not datasets <= {*optional_names(path)}:
            return None
        columns = read_columns(path, ["item_id", "prompt_sha256"])
    except LagerError:
        return None
    return [*map(_key, columns["item_id"], columns["prompt_sha256"])]


def _key(item_id: str, prompt_sha256: NDArray[np.uint8]) -> bytes:
    """Return what identifies a row: the hash of its prompt and its id."""
    return hashlib.sha256(prompt_sha256.tobytes() + item_id.encode()).digest()


def _shares(cost: dict[str, Any], part: float) -> list[dict[str, Any]]:
    """Return what a part of a shard's rows cost, one entry for each run that read some of them."""
    before = [share for earlier in cost.get("before", []) for share in _shares(earlier, part)]
    own = {key: value for key, value in cost.items() if key != "before"}
    for key in _COUNTED:
        if key in own:
            own[key] = round(own[key] * part, 3) if key == "device_seconds" else round(own[key] * part)
    return [*before, own] if own else before


DAMAGED = "damaged"


def keep_damaged(folder: Path, name: str) -> None:
    """Move a file of a cache into its folder ``damaged``, under a name that is free there.

    Raises `FileNotFoundError` when it is gone.
    """
    target = folder / DAMAGED / name.replace("/", "-")
    target.parent.mkdir(exist_ok=True)
    numbers = (target.with_name(f"{target.name}.{n}") for n in range(1, 10_000))
    (folder / name).rename(next(path for path in (target, *numbers) if not path.exists()))
