"""Files that this user's programs wrote or measured before, told by their content: they need not be measured again."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from ..machine import home


def known_folder() -> Path:
    """Return the folder with an empty file for each known one, named by its sha256."""
    return home() / "known"


def is_known(sha256: str) -> bool:
    """Return whether a file with this content was remembered."""
    with suppress(OSError, RuntimeError):  # no home, or one that cannot be read
        return (known_folder() / sha256).exists()
    return False


def remember(sha256: str) -> None:
    """Remember a file by its content; where nothing can be written, it is measured again next time."""
    with suppress(OSError, RuntimeError):
        known_folder().mkdir(parents=True, exist_ok=True)
        (known_folder() / sha256).touch()


def forget_file(sha256: str) -> None:
    """Forget one file."""
    with suppress(OSError):
        (known_folder() / Path(sha256).name).unlink()


def forget_files(older_than: float) -> None:
    """Forget the files that were remembered more than so many seconds ago."""
    for path in known_folder().glob("*"):
        with suppress(FileNotFoundError):  # another process was faster
            if time.time() - path.stat().st_mtime > older_than:
                path.unlink()
