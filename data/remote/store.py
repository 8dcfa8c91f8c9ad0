"""The store: every pulled cache once on a machine, kept by what it holds, used by many processes."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..cache.manifest import MANIFEST, read_manifest
from ..errors import LagerError
from ..files.canonical import sha256_json
from ..files.locks import FileLock, lock_file, lock_for_reading
from ..files.writing import read_json, write_json
from ..machine import home
from ..progress import to_stderr
from ..safe_text import scrubbed
from .open import open_remote
from .pull import RemoteManifest, fetch_cache, read_remote_manifest
from .remote import UnreachableError
from .transfer import DEFAULT_JOBS

_PART = 16
_KEY = re.compile(rf"[0-9a-f]{{{_PART}}}(-[0-9a-f]{{{_PART}}}){{2}}")


class StoredCopy(NamedTuple):
    """A cache in the store, held so that it is not removed while it is used.

    Attributes
    ----------
    path : Path
        Its folder.
    lease : FileLock
        Keeps it there until closed or forgotten.
    """

    path: Path
    lease: FileLock


def caches_folder() -> Path:
    """Return the folder that holds the stored caches, and beside each its lock, whose time is that of its last use."""
    return home() / "caches"


def lock_of(entry: Path) -> Path:
    """Return the lock of a stored cache."""
    return entry.with_name(entry.name + ".lock")


def stored_keys() -> list[str]:
    """Return the keys of all stored caches, sorted."""
    folder = caches_folder()
    return sorted(path.name for path in folder.iterdir() if _KEY.fullmatch(path.name)) if folder.is_dir() else []


def sources() -> dict[str, list[str]]:
    """Return the URLs, without credentials, that each stored cache was last opened by, by key."""
    found: dict[str, list[str]] = {}
    for _, record in _records():
        found.setdefault(str(record.get("key")), []).append(scrubbed(str(record.get("url"))))
    return found


def forget(keys: set[str]) -> None:
    """Forget the URLs of stored caches that are gone."""
    for path, record in _records():
        if record.get("key") in keys:
            path.unlink(missing_ok=True)


def _records() -> Iterator[tuple[Path, dict[str, Any]]]:
    folder = home() / "sources"
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            yield path, read_json(path, what="record of the store")
        except LagerError:
            continue  # it is made again when the URL is opened


def stored_copy(url: str, *, jobs: int = DEFAULT_JOBS) -> StoredCopy:
    """Return the cache at a URL from the store, after pulling it when it is not there yet.

    Its manifest is read from the URL each time, so a changed cache is pulled anew. When the place is out of reach, what
    was last opened by that URL is used, and stderr says so. Of many processes that ask at once, one pulls.
    """
    remote = open_remote(url)
    try:
        manifest = read_remote_manifest(remote)
    except UnreachableError as error:
        return _offline(url, error)
    entry = caches_folder() / _key(manifest)
    while True:
        held = lock_for_reading(lock_of(entry))
        if _is_complete(entry, manifest):
            _remember(url, entry)
            return StoredCopy(entry, held)
        held.close()
        with lock_file(lock_of(entry), shared=False) or held:
            if not _is_complete(entry, manifest):
                to_stderr(f"{remote.shown} goes to the store, {entry}")
                remove_entry(entry)  # damaged, if it is there at all
                fetch_cache(remote, manifest, entry, jobs=jobs)


def remove_entry(entry: Path) -> None:
    """Remove a stored cache, so that there is never one with half of its files; its lock must be held."""
    doomed = entry.with_name(f".{entry.name}.removed")
    for folder in (doomed, entry):
        if folder.exists():
            folder.replace(doomed)
            shutil.rmtree(doomed)


def _offline(url: str, error: UnreachableError) -> StoredCopy:
    """Return what a URL last gave, when it is still there."""
    path = _source_record(url)
    if path.exists():
        record = read_json(path, what="record of the store")
        key = str(record.get("key"))
        entry = caches_folder() / key
        if _KEY.fullmatch(key):
            held = lock_for_reading(lock_of(entry))
            if (entry / MANIFEST).exists():
                to_stderr(f"note: {error}; using the copy that was last checked on {record.get('checked')}, {entry}")
                return StoredCopy(entry, held)
            held.close()
    raise error


def _key(manifest: RemoteManifest) -> str:
    """Return the name of a cache in the store.

    It starts with what a user knows, fingerprint and content hash; the manifest's own hash covers the item table too,
    so that no two caches that differ anywhere share a name.
    """
    record = manifest.record
    names = [record[field][:_PART] for field in ("fingerprint", "content_hash", "self_sha256")]
    key = "-".join(names)
    if not _KEY.fullmatch(key):
        raise LagerError(f"the manifest's hashes are no hashes ({key!r}): the cache was not made by lager")
    return key


def _is_complete(entry: Path, manifest: RemoteManifest) -> bool:
    try:
        return bool(read_manifest(entry)["self_sha256"] == manifest.record["self_sha256"])
    except (LagerError, OSError):
        return False


def _remember(url: str, entry: Path) -> None:
    """Note the use, and which URL led here; a store that cannot be written does without."""
    checked = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    try:
        os.utime(lock_of(entry))
        write_json(_source_record(url), {"url": scrubbed(url), "key": entry.name, "checked": checked})
    except (OSError, LagerError):
        return


def _source_record(url: str) -> Path:
    # A signed link's token changes, the place does not.
    return home() / "sources" / f"{sha256_json(scrubbed(url).removesuffix('?...').rstrip('/'))[:32]}.json"


def about(entry: Path) -> dict[str, Any]:
    """Return what a stored cache is, without opening its shards: for lists."""
    manifest = read_manifest(entry)
    return {
        "model": manifest["recorded"].get("model"),
        "items": manifest["items"]["rows"],
        "layers": manifest["n_entries"] - 1,
        "fingerprint": manifest["fingerprint"],
        "content_hash": manifest["content_hash"],
    }
