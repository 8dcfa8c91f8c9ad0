"""Fetching files in pieces and in parallel; what is whole and right takes its name."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import LagerError
from ..files.canonical import sha256_file
from .patience import each_in_time
from .remote import Remote, UnreachableError

DEFAULT_JOBS = 8
_ATTEMPTS = 5
_LEAST_PROGRESS = 1 << 20
_FIRST_PAUSE_SECONDS = 0.5


def in_parallel(work: Callable[[Any, threading.Event], None], things: Iterable[Any], *, jobs: int) -> None:
    """Call `work(thing, stop)` for each thing, on `jobs` threads.

    When one fails, or the user interrupts, `stop` is set, what has not begun is dropped, and the error comes out.
    """
    if jobs < 1:
        raise LagerError(f"--jobs {jobs}: expected at least 1")
    stop, failed = threading.Event(), list[BaseException]()

    def one(thing: Any) -> None:
        if stop.is_set():
            return
        try:
            work(thing, stop)
        except BaseException as error:  # here, so that this thread begins nothing more
            failed.append(error)
            stop.set()
            raise

    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = [pool.submit(one, thing) for thing in things]
            for future in as_completed(futures):
                future.result()
        except BaseException as error:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise (failed[0] if error in failed else error) from None


def fetch_file(
    remote: Remote,
    entry: dict[str, Any],
    folder: Path,
    *,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Fetch one file that a manifest lists, unless it is there and right; an earlier, partial fetch is continued."""
    target = folder / entry["file"]
    if _is_right(target, entry):
        advance(entry["bytes"])
        return
    part = folder / part_name(entry)
    try:
        _fetch_checked(remote, entry, part, advance=advance, stop=stop)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise LagerError(f"cannot write {target}: {error.strerror or error}") from None


def part_name(entry: dict[str, Any]) -> str:
    """Return where the beginning of a file is kept; it names the content, so that no two are ever joined."""
    path = PurePosixPath(entry["file"])
    return str(path.with_name(f".{path.name}.{entry['sha256'][:16]}.part"))


def _fetch_checked(
    remote: Remote, entry: dict[str, Any], part: Path, *, advance: Callable[[int], None], stop: threading.Event
) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    continued = part.exists()
    advance(part.stat().st_size if continued else 0)
    _fill(remote, entry, part, advance=advance, stop=stop)
    if not _is_right(part, entry) and continued:  # the earlier part may have been damaged since
        advance(-part.stat().st_size)
        part.unlink()
        _fill(remote, entry, part, advance=advance, stop=stop)
    if not _is_right(part, entry):
        part.unlink()
        raise LagerError(
            f"{remote.shown}/{entry['file']} is not the file that its manifest lists (sha256 "
            f"{entry['sha256'][:12]}...): it was damaged or changed; ask whoever pushed it to push it again"
        )


def _is_right(path: Path, entry: dict[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == entry["bytes"] and sha256_file(path) == entry["sha256"]


def _fill(
    remote: Remote, entry: dict[str, Any], part: Path, *, advance: Callable[[int], None], stop: threading.Event
) -> None:
    """Append to the part until it has its size; give up after several attempts that brought next to nothing."""
    idle = 0
    while (before := part.stat().st_size if part.exists() else 0) < entry["bytes"] or not part.exists():
        try:
            _append(remote, entry, part, advance=advance, stop=stop)
        except UnreachableError:
            after = part.stat().st_size if part.exists() else 0
            idle = 0 if after - before >= _LEAST_PROGRESS else idle + 1
            if idle >= _ATTEMPTS or stop.wait(_FIRST_PAUSE_SECONDS * 2**idle):
                raise


def _append(
    remote: Remote, entry: dict[str, Any], part: Path, *, advance: Callable[[int], None], stop: threading.Event
) -> None:
    size = entry["bytes"]
    with part.open("ab") as file:
        position = file.tell()
        blocks = remote.blocks(entry["file"], start=position, size=size)
        for offset, block in each_in_time(blocks, what=f"{remote.shown}/{entry['file']}", stop=stop):
            if stop.is_set():
                raise LagerError("stopped, because another transfer failed")
            if offset != position:  # the server knows no ranges
                if offset != 0:
                    raise LagerError(f"{remote.shown}/{entry['file']}: asked for byte {position}, got byte {offset}")
                file.truncate(0)
                advance(-position)
            file.write(block)
            position = offset + len(block)
            advance(len(block))
    if position < size:
        raise UnreachableError(f"{remote.shown}/{entry['file']} was cut off after {position} of {size} bytes")
