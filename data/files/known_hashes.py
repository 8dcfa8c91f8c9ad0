"""Hashes of large files, kept beside the store: a model's weights are read once to be hashed, not once a run.

A hash is told by the file's real path, size, time of change, inode and device; where any of them differs the file is
read again.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import LagerError
from ..machine import home
from .canonical import sha256_file
from .writing import read_json, write_json

#: Smaller files are hashed each time.
LARGE_BYTES = 16 << 20


def known_sha256(path: Path, *, anew: bool = False) -> str:
    """Return the hex sha256 of a file; of a large one that did not change, as it was remembered, unless `anew`."""
    before = _facts(path)
    if before["size"] < LARGE_BYTES:
        return sha256_file(path)
    record = home() / "hashes" / f"{hashlib.sha256(before['path'].encode()).hexdigest()[:32]}.json"
    if not anew:
        with suppress(OSError, LagerError, RuntimeError):  # there is none yet, or it cannot be read
            found = read_json(record, what="remembered hash")
            if {name: found.get(name) for name in before} == before and len(str(found.get("sha256"))) == 64:
                return str(found["sha256"])
    digest = sha256_file(path)
    if _facts(path) == before:  # else it was written meanwhile
        with suppress(OSError, LagerError, RuntimeError):  # nothing can be written there: hashed again next time
            write_json(record, {**before, "sha256": digest})
    return digest


def _facts(path: Path) -> dict[str, Any]:
    """Return what tells that a file is as it was."""
    real = path.resolve()
    found = real.stat()
    return {
        "path": str(real), "size": found.st_size, "changed": str(found.st_mtime_ns), "status": str(found.st_ctime_ns),
        "inode": str(found.st_ino), "device": str(found.st_dev),
    }  # fmt: skip
