"""A place that holds the files of a cache, and how it is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ..errors import LagerError

#: Bytes of a small file that `claim` stores, at most.
CLAIM_LIMIT = 1 << 12
#: Bytes that are read or written at a time.
BLOCK = 4 << 20


class MissingError(LagerError):
    """A place was reached and has no such file."""


class UnreachableError(LagerError):
    """A place does not answer, or stopped in the middle: trying again may help."""


class Remote(Protocol):
    """Files by name, as a cache's manifest names them.

    All methods raise `MissingError`, `UnreachableError`, or another `LagerError` where access is refused. Messages hold
    no credentials. Methods are called from several threads at once.
    """

    shown: str
    """The URL without credentials."""

    def read(self, name: str, *, limit: int) -> bytes:
        """Return a whole small file; one of more than `limit` bytes is an error."""

    def blocks(self, name: str, *, start: int, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) of a file of `size` bytes from `start` on, or from 0 where that cannot be had."""


class WritableRemote(Remote, Protocol):
    """A place that takes files."""

    keeps_sources: bool
    """Whether a file that was sent has to stay on this machine until `finish`."""

    def prepare(self, *, public: bool) -> str:
        """Make the place ready and return, in words, who will be able to read it."""

    def size(self, name: str) -> int | None:
        """Return the size of a file, None where there is none."""

    def sha256(self, name: str) -> str:
        """Return the hash of a file that is there."""

    def send(self, source: Path, name: str, *, sha256: str) -> None:
        """Store a file whole or not at all; whatever has the name is replaced."""

    def claim(self, name: str, content: bytes) -> bytes:
        """Store a small file unless there is one, of several processes for one alone; return what is there then."""

    def remove(self, name: str) -> None:
        """Remove a file that `claim` stored."""

    def finish(self, last: Path, name: str, *, sha256: str) -> None:
        """Store the file that makes everything else count."""

    def delete(self, names: Sequence[str]) -> str:
        """Delete files for good, in this order; those that are not there are none. Return in words what may remain."""
