"""Writing files so that a reader never sees half of one, and nothing that exists is lost."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import LagerError, cannot_write
from .canonical import canonical_json
from .json_text import RECORD, Limits, parse_json

_TEMPORARY = ".tmp"
_LEFTOVER_SECONDS = 3600  # no file takes that long to write, so none that is being written is taken for a leftover


@contextmanager
def replacing(path: Path, *, keep_existing: bool = False, parents: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it is synced and takes that name.

    When the block fails, the temporary file is removed and whatever `path` held stays as it was.
    """
    try:
        path.parent.mkdir(parents=parents, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_TEMPORARY, dir=path.parent)
    except OSError as error:
        raise cannot_write(path, error) from None
    os.close(handle)
    temporary = Path(name)
    try:
        with _failures_told(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            if not (keep_existing and _link(temporary, path)):
                temporary.replace(path)
            _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _failures_told(path: Path) -> Iterator[None]:
    """Raise `LagerError` where a block cannot write; polars has errors of its own for a full disk."""
    try:
        yield
    except OSError as error:
        raise LagerError(f"cannot write {path}: {error.strerror or error}") from None
    except BaseException as error:
        if type(error).__module__.partition(".")[0] not in ("polars", "pyo3_runtime"):
            raise
        raise LagerError(f"cannot write {path}: {(str(error).splitlines() or ['polars failed'])[0]}") from None


def _link(temporary: Path, path: Path) -> bool:
    """Give the file its name unless another has it; return False where the file system has no links."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:
        return path.exists()
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove from a folder the files that processes were writing when they were killed, an hour ago or longer."""
    for path in folder.glob(f".*{_TEMPORARY}"):
        with suppress(OSError):
            if path.is_file() and time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                path.unlink()


def remove_file(path: Path) -> None:
    """Remove a file, if it is there; a `LagerError` when its folder cannot be written."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise LagerError(f"cannot write {path.parent}: {error.strerror or error}") from None


def move_file(path: Path, target: Path) -> None:
    """Give a file another name on the same file system, durably, in a folder that is made where it is missing.

    Raises `FileNotFoundError` when `path` does not exist.
    """
    try:
        target.parent.mkdir(exist_ok=True)
        path.replace(target)
        _sync_folder(target.parent)
        _sync_folder(path.parent)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LagerError(f"cannot move {path} to {target}: {error.strerror or error}") from None


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable; folders cannot be synced on every system."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def new_folder(path: Path, *, what: str) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; when the block ends well its files are synced and it takes that name.

    When the block fails, the temporary folder is removed.
    """
    refuse_existing(path, what=what)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_TEMPORARY, dir=path.parent))
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        with _failures_told(path):
            yield temporary
            for file in temporary.iterdir():
                with file.open("rb+") as opened:
                    os.fsync(opened.fileno())
            temporary.chmod(0o777 & ~_umask())
            refuse_existing(path, what=what)
            temporary.rename(path)
            _sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def refuse_existing(path: Path, *, what: str) -> None:
    """Raise `LagerError` when `path` exists: outputs are never overwritten in silence."""
    if path.exists():
        raise LagerError(f"{what} {path} exists already: choose another name, or remove it first")


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Write JSON as a whole or not at all; canonical form unless `indent` is given."""
    text = canonical_json(value) if indent is None else json.dumps(value, indent=indent, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, *, what: str, limits: Limits = RECORD, exact: bool = False) -> dict[str, Any]:
    """Read one JSON object."""
    try:
        with path.open("rb") as file:
            data = file.read(limits.size + 1)
    except OSError as error:
        raise LagerError(f"cannot read {what} {path}: {error.strerror or error}") from None
    if len(data) > limits.size:
        raise LagerError(f"{what} {path} has more than {limits.size} bytes, more than any {what} needs")
    try:
        value = parse_json(data, limits=limits, exact=exact)
    except ValueError as error:
        raise LagerError(
            f"{what} {path} is not valid JSON ({error}): it was cut off, damaged, or is another kind of file"
        ) from None
    if not isinstance(value, dict):
        raise LagerError(f"{what} {path} holds a {type(value).__name__}, expected a JSON object")
    return value
