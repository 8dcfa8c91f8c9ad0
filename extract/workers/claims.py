"""Claims: markers in the cache's folder, so that workers that do not talk rarely read the same shard.

A claim is a file with its worker's name, made in one step that only one worker can win. It holds while that worker's
record is fresh. Should two workers read a shard all the same, the first file stays and the content is equal.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ...data.run.worker_records import CLAIMS, STALE_SECONDS, WORKERS, file_system_now, is_alive, read_worker


class Claims:
    """The claims of one worker.

    Parameters
    ----------
    cache : Path
        The cache's folder.
    worker : str
        This worker's name.
    """

    def __init__(self, cache: Path, worker: str) -> None:
        self.cache, self.worker = cache, worker
        self.folder = cache / WORKERS / CLAIMS

    def take(self, name: str) -> bool:
        """Claim something, and return whether this worker has it now; a claim whose worker died is taken over."""
        if self._make(name):
            return True
        holder = self._holder(name)
        if holder == self.worker:
            return True
        if holder is not None and self._holds(name, holder):
            return False
        self._path(name).unlink(missing_ok=True)
        return self._make(name)

    def held(self) -> set[str]:
        """Return what anybody claims now, whether or not they live."""
        try:
            return {entry.name for entry in os.scandir(self.folder)}
        except OSError:
            return set()

    def drop(self, name: str) -> None:
        """Give a claim up; where that cannot be written any more, it ends with its worker."""
        with suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        """Return the file of a claim."""
        return self.folder / name

    def _make(self, name: str) -> bool:
        """Make a claim's file, and return whether this worker was the first."""
        try:
            with self._path(name).open("x", encoding="utf-8") as file:
                file.write(self.worker)
        except (FileExistsError, FileNotFoundError):  # the second: a run that finished took the folder away
            return False
        return True

    def _holder(self, name: str) -> str | None:
        """Return who has a claim; None where nobody does any more."""
        try:
            return self._path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def _holds(self, name: str, holder: str) -> bool:
        """Return whether a claim's worker lives; an empty name belongs to a worker that is about to write it."""
        now = file_system_now(self.cache)
        if holder:
            found = read_worker(self.cache, holder)
            return found is not None and is_alive(*found, now=now)
        try:
            return now - self._path(name).stat().st_mtime < STALE_SECONDS
        except OSError:
            return False
