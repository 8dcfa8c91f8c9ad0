"""How far the size of a file is believed, and reading files that may be compressed no further than that."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from ..errors import LagerError
from .json_text import DOCUMENT

_FREE_BYTES, _MOST_GAIN = 256 << 20, 100


def most_bytes(stored: int) -> int:
    """Return how many bytes may come out of so many stored ones: 256 MiB, or 100 times as many."""
    return max(_FREE_BYTES, _MOST_GAIN * stored)


def read_unpacked(path: Path, *, what: str) -> bytes:
    """Return the content of a file, unpacked where it is gzip."""
    try:
        limit = min(DOCUMENT.size, most_bytes(path.stat().st_size))
        with path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if compressed else path.open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise LagerError(f"cannot read {what} {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > limit:
        raise LagerError(f"{what} {path} holds more than {limit >> 20} MiB: split it, or unpack it first")
    return content
