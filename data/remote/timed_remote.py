"""A place to push to, of which no call is waited for without end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from . import patience
from .patience import in_time
from .remote import BLOCK, WritableRemote

T = TypeVar("T")


class TimedRemote:
    """Another remote, each call of which ends in time: a question in `patience.SECONDS`, and so each block of a file.

    Clients say nothing of how far a file has come, so that one of n blocks has n + 1 times as long: what is slower than
    34 kB/s from end to end is given up, as it is where files are pulled.

    Parameters
    ----------
    remote : WritableRemote
    stop : threading.Event
        Ends what is waited for at once when it is set.
    total : int
        Bytes of all files, which `finish` may still have to bring.
    """

    def __init__(self, remote: WritableRemote, stop: threading.Event | None = None, *, total: int = 0) -> None:
        self._remote, self._stop, self._total = remote, stop, total
        self.shown, self.keeps_sources = remote.shown, remote.keeps_sources

    def read(self, name: str, *, limit: int) -> bytes:
        """Return a whole small file."""
        return self._timed(lambda: self._remote.read(name, limit=limit), name)

    def blocks(self, name: str, *, start: int, size: int) -> Iterator[tuple[int, bytes]]:
        """Return an iterator, which has a time of its own; see `patience.each_in_time`."""
        return self._remote.blocks(name, start=start, size=size)

    def prepare(self, *, public: bool) -> str:
        """Make the place ready."""
        return self._timed(lambda: self._remote.prepare(public=public), "")

    def size(self, name: str) -> int | None:
        """Return the size of a file, None where there is none."""
        return self._timed(lambda: self._remote.size(name), name)

    def sha256(self, name: str) -> str:
        """Return the hash of a file, for which some places have it read."""
        return self._timed(lambda: self._remote.sha256(name), name, size=self.size(name) or 0)

    def send(self, source: Path, name: str, *, sha256: str) -> None:
        """Store a file."""
        self._timed(lambda: self._remote.send(source, name, sha256=sha256), name, size=source.stat().st_size)

    def claim(self, name: str, content: bytes) -> bytes:
        """Store a small file unless there is one."""
        return self._timed(lambda: self._remote.claim(name, content), name)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._timed(lambda: self._remote.remove(name), name)

    def finish(self, last: Path, name: str, *, sha256: str) -> None:
        """Store the last file."""
        self._timed(lambda: self._remote.finish(last, name, sha256=sha256), name, size=self._total)

    def delete(self, names: Sequence[str]) -> str:
        """Delete files, which asks once or twice for each."""
        return self._timed(lambda: self._remote.delete(names), "", size=2 * BLOCK * len(names))

    def _timed(self, call: Callable[[], T], name: str, *, size: int = 0) -> T:
        seconds = patience.SECONDS * (1 + size / BLOCK)
        return in_time(call, what=f"{self.shown}/{name}".rstrip("/"), stop=self._stop, seconds=seconds)
