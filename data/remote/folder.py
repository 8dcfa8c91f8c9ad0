"""A folder of this machine, or of a disk that is mounted there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import LagerError
from ..files.canonical import sha256_file
from ..files.writing import remove_file, replacing
from .remote import BLOCK, CLAIM_LIMIT, MissingError


class FolderRemote:
    """Files under one folder; nothing beyond Python is needed.

    Parameters
    ----------
    root : Path
        The folder.
    """

    keeps_sources = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shown = str(root)

    def read(self, name: str, *, limit: int) -> bytes:
        """Return a whole small file."""
        with self._told(name), (self.root / name).open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise LagerError(f"{self.root / name} has more than {limit} bytes: it is no {name} of a cache")
        return content

    def blocks(self, name: str, *, start: int, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) from `start` on."""
        with self._told(name), (self.root / name).open("rb") as file:
            file.seek(start)
            while start < size and (block := file.read(min(BLOCK, size - start))):
                yield start, block
                start += len(block)

    def prepare(self, *, public: bool) -> str:
        """Refuse `public`: permissions of a folder are its owner's to set."""
        if public:
            raise LagerError(
                f"--public: {self.root} is a folder; its permissions say who can read it, leave --public out"
            )
        return "whoever the folder's permissions let in"

    def size(self, name: str) -> int | None:
        """Return the size of a file, None where there is none."""
        path = self.root / name
        return path.stat().st_size if path.exists() else None

    def sha256(self, name: str) -> str:
        """Return the hash of a file."""
        with self._told(name):
            return sha256_file(self.root / name)

    def send(self, source: Path, name: str, *, sha256: str) -> None:
        """Copy a file under a temporary name, compare what was written, and rename it."""
        with replacing(self.root / name) as temporary:
            digest = hashlib.sha256()
            with source.open("rb") as file, temporary.open("wb") as out:
                while block := file.read(BLOCK):
                    digest.update(block)
                    out.write(block)
            if digest.hexdigest() != sha256:
                raise LagerError(f"{source} changed while it was copied; check the disk, and push again")

    def claim(self, name: str, content: bytes) -> bytes:
        """Store a small file unless there is one, and return what is there then."""
        with replacing(self.root / name, keep_existing=True) as temporary:
            temporary.write_bytes(content)
        return self.read(name, limit=CLAIM_LIMIT)

    def remove(self, name: str) -> None:
        """Remove a file."""
        remove_file(self.root / name)

    def finish(self, last: Path, name: str, *, sha256: str) -> None:
        """Copy the last file."""
        self.send(last, name, sha256=sha256)

    def delete(self, names: Sequence[str]) -> str:
        """Remove files, and folders below this one that are empty then."""
        for name in names:
            with self._told(name):
                remove_file(self.root / name)
        for folder in {(self.root / name).parent for name in names} - {self.root}:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return ""

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        path = self.root / name
        try:
            if path.exists() and not path.is_file():
                raise LagerError(f"{path} is no file")  # a pipe or a device would never end
            yield
        except FileNotFoundError:
            raise MissingError(f"{path} does not exist") from None
        except OSError as error:
            raise LagerError(f"cannot read {path}: {error.strerror or error}") from None
