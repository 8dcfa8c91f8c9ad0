"""Pushing a cache: every file first, the manifest last."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..cache.feature_cache import FeatureCache
from ..cache.manifest import MANIFEST, RUN
from ..errors import LagerError
from ..files.canonical import canonical_json, sha256_file
from ..files.json_text import parse_json
from ..progress import Progress, Say, silent, to_stderr
from ..safe_text import printable
from .card import CARD, TAG, card
from .derived_copy import CopyOfCache, left_out, scratch_beside
from .folder import FolderRemote
from .open import open_writable
from .pull import RemoteManifest, read_remote_manifest
from .remote import MissingError, WritableRemote
from .timed_remote import TimedRemote
from .transfer import DEFAULT_JOBS, in_parallel

#: Bytes of a card, at most.
CARD_LIMIT = 1 << 20
#: Beside the files of a push until it is whole: which cache they are of.
CLAIM = "unfinished-push.json"


class Pushed(NamedTuple):
    """What a push did.

    Attributes
    ----------
    url : str
        Where the cache lies, without credentials.
    readers : str
        Who can read it, in words.
    sent, kept : int
        Files that were sent, and that were there already.
    bytes : int
        Bytes that were sent.
    left_out : list of str
        What the copy leaves out.
    content_hash : str
        Of the copy.
    """

    url: str
    readers: str
    sent: int
    kept: int
    bytes: int
    left_out: list[str]
    content_hash: str


def push(
    cache: str | Path,
    url: str | Path,
    *,
    include: Sequence[str] = (),
    public: bool = False,
    jobs: int = DEFAULT_JOBS,
    shown: bool = True,
) -> Pushed:
    """Copy a complete cache to a folder or URL; the same call goes on where an earlier one stopped."""
    say = to_stderr if shown else silent
    source = FeatureCache.open(cache)
    place = open_writable(url)
    remote = _timed(place)
    with scratch_beside(source.path) as scratch:
        copy = CopyOfCache(source, include, scratch)
        readers = remote.prepare(public=public)
        with _claimed(remote, copy) as (there, counts):
            _send_files(place, copy, there=there, counts=counts, jobs=jobs, shown=shown, say=say)
            manifest = copy.manifest()
            if there is None or there.record["self_sha256"] != manifest["self_sha256"]:
                if there is not None:
                    raise _other_cache(remote)
                _send_card(remote, card(manifest, url=remote.shown), scratch, say=say)
                last = scratch / MANIFEST
                last.write_text(canonical_json(manifest) + "\n", encoding="utf-8")
                _timed(place, total=counts.bytes).finish(last, MANIFEST, sha256=sha256_file(last))
    if public and counts.kept:
        say(f"note: {counts.kept} files were there already and keep the access they had")
    content = manifest["content_hash"]
    return Pushed(remote.shown, readers, counts.sent, counts.kept, counts.bytes, left_out(manifest), content)


def _timed(remote: WritableRemote, stop: threading.Event | None = None, *, total: int = 0) -> WritableRemote:
    """Return a remote whose calls end in time; a folder's do by themselves, and leave nothing half done."""
    return remote if isinstance(remote, FolderRemote) else TimedRemote(remote, stop, total=total)


def _send_files(
    remote: WritableRemote, copy: CopyOfCache, *, there: RemoteManifest | None, counts: _Counts, jobs: int,
    shown: bool, say: Say,
) -> None:  # fmt: skip
    """Send all files but the manifest, several at once."""
    listed = None if there is None else {entry["file"]: entry for entry in there.files}
    sizes = {name: (copy.cache.path / name).stat().st_size for name in copy.names}
    with Progress(sum(sizes.values()), what=f"pushing to {remote.shown}", unit="bytes", shown=shown) as progress:

        def send(name: str, stop: threading.Event) -> None:
            if not stop.is_set():
                _send(_timed(remote, stop), copy, name, listed=listed, counts=counts)
                progress.advance(sizes[name])

        try:
            in_parallel(send, copy.names, jobs=jobs)
        except KeyboardInterrupt:
            say(f"stopped: what was sent stays in {remote.shown}; the same command goes on there")
            raise


@contextmanager
def _claimed(remote: WritableRemote, copy: CopyOfCache) -> Iterator[tuple[RemoteManifest | None, _Counts]]:
    """Yield the manifest that is there and a count of files, while no push of another cache gets in between.

    The claim names the cache that is pushed. It stays with the files of a push that stopped, so that the same cache
    alone goes on there; a place that holds a whole cache needs none, as its manifest says what it takes.
    """
    counts, there = _Counts(), _manifest_there(remote)
    if there is not None:
        yield there, counts
        return
    of = {"cache": copy.cache.manifest["self_sha256"], "include": sorted(copy.include)}
    since = time.strftime("%Y-%m-%d %H:%M:%S %z")
    found = _claim_of(remote, remote.claim(CLAIM, canonical_json({**of, "since": since}).encode()))
    if {name: found.get(name) for name in of} != of:
        since = printable(str(found.get("since")))
        raise LagerError(
            f"{remote.shown}: a push of another cache, begun {since}, is not finished there: choose another place, or "
            f"remove what it left there, {CLAIM} last"
        )
    try:
        yield _manifest_there(remote), counts  # another one may have finished it before the claim
    except BaseException:
        if not counts.sent:
            with suppress(LagerError):  # the first error is the one to tell
                remote.remove(CLAIM)
        raise
    with suppress(MissingError):  # another push of the same cache was faster
        remote.remove(CLAIM)


def _claim_of(remote: WritableRemote, content: bytes) -> dict[str, Any]:
    """Return what a claim says; `LagerError` where it is none."""
    try:
        found = parse_json(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise LagerError(f"{remote.shown}/{CLAIM} is no record of an unfinished push: choose another place")
    return found


class _Counts:
    """What was sent, counted from several threads."""

    def __init__(self) -> None:
        self.sent = self.kept = self.bytes = 0
        self._lock = threading.Lock()

    def add(self, size: int, *, sent: bool) -> None:
        with self._lock:
            self.sent += sent
            self.kept += not sent
            self.bytes += size if sent else 0


def _manifest_there(remote: WritableRemote) -> RemoteManifest | None:
    """Return the manifest of the cache that lies there already; refuse a folder that an extraction writes."""
    if remote.size(RUN) is not None:
        raise LagerError(f"{remote.shown} is a cache of its own, with a {RUN}: choose another place")
    try:
        return read_remote_manifest(remote)
    except MissingError:
        return None


def _send(
    remote: WritableRemote, copy: CopyOfCache, name: str, *, listed: dict[str, Any] | None, counts: _Counts
) -> None:
    path, entry = copy.make(name)
    try:
        if listed is not None and listed.get(name) != entry:
            raise _other_cache(remote)
        if _is_there(remote, entry, listed=listed is not None):
            counts.add(entry["bytes"], sent=False)
            return
        remote.send(path, name, sha256=entry["sha256"])
        counts.add(entry["bytes"], sent=True)
    finally:
        if not copy.is_whole and not remote.keeps_sources:
            path.unlink()


def _is_there(remote: WritableRemote, entry: dict[str, Any], *, listed: bool) -> bool:
    """Return whether the right file is there; a wrong one is replaced only where a manifest lists the right one."""
    size = remote.size(entry["file"])
    if size is None:
        return False
    if size == entry["bytes"] and remote.sha256(entry["file"]) == entry["sha256"]:
        return True
    if listed:
        return False
    raise LagerError(
        f"{remote.shown} holds another {entry['file']} already, and files are not overwritten: choose another place, "
        "or remove what an unfinished push left there"
    )


def _other_cache(remote: WritableRemote) -> LagerError:
    return LagerError(f"{remote.shown} holds another cache already: choose another place, or remove that one first")


def _send_card(remote: WritableRemote, text: str, scratch: Path, *, say: Say) -> None:
    """Send the card, unless someone wrote a page of their own there."""
    if remote.size(CARD) is not None and TAG.encode() not in remote.read(CARD, limit=CARD_LIMIT):
        say(f"note: {remote.shown}/{CARD} was there already and is left as it is")
        return
    path = scratch / CARD
    path.write_text(text, encoding="utf-8")
    remote.send(path, CARD, sha256=sha256_file(path))
