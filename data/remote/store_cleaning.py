"""What the store holds, and freeing it by age or size."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ..cache.feature_cache import FeatureCache
from ..cache.manifest import MANIFEST, read_manifest
from ..errors import LagerError
from ..files.known_files import forget_file, forget_files
from ..files.locks import lock_file
from .store import about, caches_folder, forget, lock_of, remove_entry, sources, stored_keys

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.IGNORECASE)
_DEEP = 3
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class StoredCache(NamedTuple):
    """One cache of the store.

    Attributes
    ----------
    key : str
        Its name there.
    path : Path
        Its folder.
    bytes : int
        Size of its files.
    age : float
        Seconds since its last use.
    urls : list of str
        What it was last opened by.
    about : dict
        Model, items, layers, hashes; ``{"damaged": reason}`` when its manifest cannot be read.
    """

    key: str
    path: Path
    bytes: int
    age: float
    urls: list[str]
    about: dict[str, Any]


class Cleaning(NamedTuple):
    """What a cleaning removed, or would remove.

    Attributes
    ----------
    removed : list of StoredCache
        Oldest use first.
    in_use : list of StoredCache
        What would have gone as well, and is used by a process now.
    left : int
        Bytes that are still in the store.
    """

    removed: list[StoredCache]
    in_use: list[StoredCache]
    left: int


def stored_caches() -> list[StoredCache]:
    """Return what the store holds, last used first."""
    urls, now = sources(), time.time()
    found = []
    for key in stored_keys():
        path = caches_folder() / key
        try:
            facts = about(path)
        except LagerError as error:
            facts = {"damaged": str(error)}
        used = (lock_of(path) if lock_of(path).exists() else path).stat().st_mtime
        found.append(StoredCache(key, path, _bytes(path), max(0.0, now - used), urls.get(key, []), facts))
    return sorted(found, key=lambda one: one.age)


def caches_below(folder: Path) -> list[StoredCache]:
    """Return the caches in a folder, up to three folders deep, by name; `key` is where in the folder each lies.

    Raises `LagerError` where there is no such folder.
    """
    if not folder.is_dir():
        raise LagerError(f"{folder} is no folder: give one that holds caches")
    found = []
    for depth in range(_DEEP + 1):
        for record in sorted(folder.glob("*/" * depth + MANIFEST)):
            path = record.parent
            try:
                facts = about(path)
            except LagerError as error:
                facts = {"damaged": str(error)}
            age = max(0.0, time.time() - record.stat().st_mtime)
            found.append(StoredCache(str(path.relative_to(folder)), path, _bytes(path), age, [], facts))
    return sorted(found, key=lambda one: one.key)


def clean_store(*, older_than: float | None = None, max_size: int | None = None, dry_run: bool = False) -> Cleaning:
    """Remove caches that were not used for long, then the longest unused ones until the store is small enough.

    A cache that a process has open stays. What an interrupted pull left goes like a cache of its age.
    """
    caches = stored_caches()
    left = sum(cache.bytes for cache in caches)
    removed, in_use = [], []
    for cache in reversed(caches):
        too_old = older_than is not None and cache.age > older_than
        too_much = max_size is not None and left > max_size
        if not (too_old or too_much):
            continue
        if _remove(cache.path, dry_run=dry_run):
            removed.append(cache)
            left -= cache.bytes
        else:
            in_use.append(cache)
    if not dry_run:
        forget({cache.key for cache in removed})
        if older_than is not None:
            _remove_unfinished(older_than)
            forget_files(older_than)
    return Cleaning(removed, in_use, left)


def forget_rows(fingerprint: str, rows: Collection[tuple[str, bytes]]) -> Cleaning:
    """Remove the stored caches of a fingerprint that hold one of some rows, each an item's id and prompt hash."""
    removed: list[StoredCache] = []
    in_use: list[StoredCache] = []
    for stored in stored_caches():
        if stored.about.get("fingerprint") != fingerprint:
            continue
        cache = FeatureCache.open(stored.path)
        if not any(row in rows for row in zip(cache.item_id, map(bytes, cache.prompt_sha256), strict=True)):
            continue
        del cache
        (removed if _remove(stored.path, dry_run=False) else in_use).append(stored)
    forget({stored.key for stored in removed})
    return Cleaning(removed, in_use, sum(stored.bytes for stored in stored_caches()))


def parse_age(text: str) -> float:
    """Return seconds from text such as 30d, 12h or 2w; a `LagerError` when it is none."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise LagerError(f"age {text!r}: expected a number and one of s, m, h, d, w, such as 30d")
    return float(match[1]) * _SECONDS[match[2].lower()]


def age_in_words(seconds: float) -> str:
    """Return an age in its largest unit."""
    days = timedelta(seconds=seconds).days
    if days:
        return f"{days} d"
    return f"{int(seconds // 3600)} h" if seconds >= 3600 else f"{int(seconds // 60)} min"


def _remove(path: Path, *, dry_run: bool) -> bool:
    """Remove a cache and its lock unless a process has it open; return whether it went, or would."""
    lock = lock_file(lock_of(path), shared=False, wait=False)
    if lock is None:
        return False
    with lock:
        if not dry_run:
            with suppress(LagerError):  # a damaged one does not say
                forget_file(read_manifest(path)["items"]["sha256"])
            remove_entry(path)
            lock_of(path).unlink(missing_ok=True)
    return True


def _remove_unfinished(older_than: float) -> None:
    for path in caches_folder().glob(".*") if caches_folder().is_dir() else []:
        if path.is_dir() and time.time() - path.stat().st_mtime > older_than:
            key = path.name[1:].partition(".")[0]
            lock = lock_file(lock_of(path.with_name(key)), shared=False, wait=False)
            if lock is not None:
                with lock:
                    shutil.rmtree(path)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
