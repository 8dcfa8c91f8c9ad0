"""Where child processes import from: never the working folder, whose files may have the names of libraries."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

#: With it Python puts neither the working folder nor a script's own before the libraries (as with ``-P``).
SAFE_PATH = "PYTHONSAFEPATH"
_PACKAGE = Path(__file__).resolve().parents[1]
_LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")


def import_path() -> list[str]:
    """Return `sys.path` without the working folder, unless Python's libraries or this package lie in it."""
    try:
        here = os.path.realpath(Path.cwd())
    except FileNotFoundError:  # it was removed: nothing comes from it
        return [entry for entry in sys.path if Path(entry).is_absolute()]
    needed = {os.path.realpath(sysconfig.get_path(name)) for name in _LIBRARIES}
    if _PACKAGE.name == __name__.partition(".")[0]:
        needed.add(str(_PACKAGE.parent))
    return [entry for entry in sys.path if os.path.realpath(entry or ".") != here or here in needed]


@contextmanager
def safe_path() -> Iterator[None]:
    """Let libraries that start Python processes while the block runs start them away from the working folder."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(SAFE_PATH, None)
        else:
            os.environ[SAFE_PATH] = before


@contextmanager
def safe_path_of_ray() -> Iterator[None]:
    """Let Ray start, or be joined, while the block runs: its workers import from the folder in which this was done."""
    with safe_path(), chdir(sysconfig.get_path("purelib")):
        yield
