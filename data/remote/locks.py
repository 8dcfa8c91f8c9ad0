"""Locks between processes, on a file beside what is locked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import LagerError


class Lease:
    """A lock that is held until it is closed, forgotten, or its process ends.

    A copy in another process holds a lock of its own.

    Parameters
    ----------
    file : binary file
        The lock's file, locked.
    path : Path
        Its name.
    """

    def __init__(self, file: IO[bytes] | None, path: Path) -> None:
        self.file, self.path = file, path

    def close(self) -> None:
        """Give the lock back."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def __reduce__(self) -> tuple[Callable[[Path], Lease], tuple[Path]]:
        """Lock again where the copy arrives."""
        return lease, (self.path,)


def lease(path: Path) -> Lease:
    """Lock for reading, beside other readers; where nothing can be written, nothing needs to be locked."""
    try:
        return Lease(acquire(path, shared=True), path)
    except LagerError:
        if os.access(path.parent, os.W_OK):
            raise
        return Lease(None, path)  # a store that nobody can change from here


def acquire(path: Path, *, shared: bool, wait: bool = True) -> IO[bytes] | None:
    """Lock a file, which is made when it is not there, and return it open; None when another has it and `wait` is off.

    Raises
    ------
    LagerError
        When the file cannot be made, or there are no such locks.
    """
    try:
        import fcntl
    except ImportError:
        raise LagerError(
            "this system has no file locks, so there is no store: use `lager cache pull` and its folder"
        ) from None
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
            try:
                fcntl.flock(file, kind)
            except BlockingIOError:
                file.close()
                return None
            except OSError:
                file.close()
                raise
            if _is_still(path, file):
                return file
            file.close()  # it was removed while we waited
    except OSError as error:
        raise LagerError(
            f"cannot lock {path}: {error.strerror or error}; choose a folder that can be written, on a disk with locks "
            "(LAGER_HOME is the store's)"
        ) from None


@contextmanager
def only_process(path: Path, *, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock `path` alone, after waiting for it where need be; the file is gone afterwards.

    Raises
    ------
    LagerError
        As `acquire`.
    """
    file = acquire(path, shared=False, wait=False)
    if file is None:
        say(f"waiting for another process that holds {path}")
        file = acquire(path, shared=False)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock is given back: who waits for it notices
        if file is not None:
            file.close()


def _is_still(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
