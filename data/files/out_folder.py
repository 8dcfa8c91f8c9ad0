"""A folder that a command fills with several files: one process at a time, and taken up again when one was killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import LagerError
from .locks import FileLock, disown, own

#: Lies in a folder until it is filled, says who fills it, and is locked while that process lives.
UNFINISHED = "unfinished.lock"


def check_out(folder: Path, names: Sequence[str]) -> None:
    """Raise `LagerError` when a folder holds a file of such a name already, or is a file itself.

    Commands call it before anything is computed, so that nothing is lost.
    """
    if folder.exists() and not folder.is_dir():
        raise LagerError(f"--out {folder} is a file: give a folder")
    for path in (folder / name for name in names):
        if path.exists():
            raise LagerError(f"{path} exists already: choose another folder for --out, or remove it first")


@contextmanager
def filling(folder: Path | None, names: Sequence[str]) -> Iterator[None]:
    """Hold a folder while a block writes files of these names into it; nothing to hold where it is None.

    What a block that did not come to its end left there is removed by the next one: the file `UNFINISHED` tells.
    """
    if folder is None:
        yield
        return
    marker, was_there = folder / UNFINISHED, folder.exists()
    unfinished = marker.is_file() and not marker.is_symlink()
    if not unfinished:
        check_out(folder, names)
    lock = own(marker, what=f"--out {folder}")
    try:
        for path in (folder / name for name in names if unfinished):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        check_out(folder, names)  # who held it before may have finished
        yield
    except BaseException:
        if any((folder / name).exists() for name in names):
            lock.close()  # its file stays
        else:
            _give_back(lock, marker)
            with suppress(OSError):
                if not was_there:
                    folder.rmdir()
        raise
    _give_back(lock, marker)


def _give_back(lock: FileLock, marker: Path) -> None:
    """Let others have the folder; where the disk has no locks, the file is there all the same."""
    disown(lock)
    with suppress(OSError):
        marker.unlink(missing_ok=True)
