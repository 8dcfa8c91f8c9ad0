"""Locks between processes, on a file beside what is locked."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import LagerError, cannot_write
from ..progress import Say
from ..safe_text import printable

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_LONGEST_OWNER = 200


class FileLock:
    """A lock that is held until it is closed, forgotten, or its process ends.

    A copy in another process holds a lock for reading of its own.

    Parameters
    ----------
    descriptor : int or None
        Of the lock's open file, locked; None where there was nothing to lock.
    path : Path
        Its name.
    """

    def __init__(self, descriptor: int | None, path: Path) -> None:
        self.descriptor, self.path = descriptor, path

    def close(self) -> None:
        """Give the lock back."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def __enter__(self) -> FileLock:
        """Hold the lock for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        self.close()

    def __del__(self) -> None:
        """Give the lock back."""
        self.close()

    def __reduce__(self) -> tuple[Callable[[Path], FileLock], tuple[Path]]:
        """Lock again where the copy arrives."""
        return lock_for_reading, (self.path,)


def lock_for_reading(path: Path) -> FileLock:
    """Lock beside other readers; where nothing can be written, nothing needs to be locked."""
    lock = None
    try:
        lock = lock_file(path, shared=True)
    except LagerError:
        if os.access(path.parent, os.W_OK):
            raise
    return lock or FileLock(None, path)


def lock_file(path: Path, *, shared: bool, wait: bool = True) -> FileLock | None:
    """Lock a file, which is made when it is not there; None when another process has it and `wait` is off."""
    if os.name != "posix":
        raise LagerError("this system has no file locks, so caches cannot be pulled on it; copy the folder")
    try:
        return _taken(path, shared=shared, wait=wait)
    except OSError as error:
        raise LagerError(
            f"cannot lock {path}: {error.strerror or error}; choose a folder that can be written, on a disk with locks "
            "(LAGER_HOME is the store's)"
        ) from None


def own(path: Path, *, what: str) -> FileLock:
    """Hold the lock `path` as the only writer of an output; give it back with `disown`.

    The file says who holds it and since when. One that a process left behind which is gone is taken over. Where the
    system or the disk has no locks, none is held.
    """
    if os.name != "posix":
        return FileLock(None, path)
    try:
        lock = _taken(path, shared=False, wait=False)
        if lock is not None and lock.descriptor is not None:
            since = time.strftime("%Y-%m-%d %H:%M:%S %z")
            os.truncate(lock.descriptor, 0)
            os.write(lock.descriptor, f"process {os.getpid()} on {socket.gethostname()}, since {since}\n".encode())
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return FileLock(None, path)
        raise cannot_write(path, error) from None
    if lock is None:
        raise LagerError(f"{what} is being written already ({_owner(path)}): wait for its end, or choose another name")
    return lock


def disown(lock: FileLock) -> None:
    """Give back what `own` returned, and remove its file."""
    if lock.descriptor is not None:
        with suppress(OSError):  # a file that stays is taken over by the next
            lock.path.unlink(missing_ok=True)
        lock.close()


def _owner(path: Path) -> str:
    """Return who holds a lock, as its file says it."""
    try:
        with path.open("rb") as file:
            return printable(file.read(_LONGEST_OWNER).decode(errors="replace").strip()) or "by another process"
    except OSError:
        return "by another process"


def _taken(path: Path, *, shared: bool, wait: bool) -> FileLock | None:
    """Return the lock, None when another process has it and `wait` is off; raise `OSError` where it cannot be had."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _opened(path, shared=shared)
        lock = FileLock(descriptor, path)
        try:
            _lock(descriptor, shared=shared, wait=wait)
        except BlockingIOError:
            return None
        if _is_still(lock):
            return lock  # else it was removed while we waited


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time into the block, as far as the file system has locks."""
    if os.name != "posix":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    with FileLock(descriptor, folder):
        with suppress(OSError):  # some network file systems have none
            _lock(descriptor, shared=False)
        yield


def _lock(descriptor: int, *, shared: bool, wait: bool = True) -> None:
    """Lock an open file or folder; raise `BlockingIOError` where it would have to wait, `OSError` where it cannot."""
    import fcntl  # which only POSIX systems have

    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))


def _opened(path: Path, *, shared: bool) -> int:
    """Open a lock's file; for reading alone where somebody else made it, or the disk is read-only.

    No link is followed: somebody else may have put it there.
    """
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except OSError:
        if not shared or not path.exists():
            raise
        return os.open(path, os.O_RDONLY | flags)


@contextmanager
def only_process(path: Path, *, say: Say) -> Iterator[None]:
    """Hold the lock `path` alone, after waiting for it where need be; the file is gone afterwards."""
    lock = lock_file(path, shared=False, wait=False)
    if lock is None:
        say(f"waiting for another process that holds {path}")
        lock = lock_file(path, shared=False)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock is given back: who waits for it notices
        if lock is not None:
            lock.close()


def _is_still(lock: FileLock) -> bool:
    try:
        return lock.descriptor is not None and os.path.samestat(lock.path.stat(), os.fstat(lock.descriptor))
    except FileNotFoundError:
        return False
