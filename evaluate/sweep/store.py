"""The rows of a sweep on disk: appended one by one, and found again by the next run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ...data.files.canonical import canonical_json
from ...data.files.json_text import parse_json
from ...data.files.locks import disown, own
from ...data.files.writing import read_json, write_json
from .cells import Row

SWEEP_JSON, CELLS = "sweep.json", "cells.jsonl"
_LOCK = "sweep.lock"
_KEY = ("protocol", "strategy", "size", "draw")

Key = tuple[Any, ...]


class SweepStore:
    """Finished cells in a folder.

    A row is one line of cells.jsonl, written and synced before the next; a line cut off by a crash is dropped when the
    folder is opened again, and its cell is done anew. One process at a time has the folder.

    Parameters
    ----------
    folder : Path
        New, or of an earlier run with the same identity.
    identity : dict
        What the rows depend on besides their key: data, level, preset, seed.

    Raises
    ------
    LagerError
        When the folder holds another sweep, with what differs, or something else, or another process writes it.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.rows: dict[Key, Row] = {}
        if folder.exists() and not folder.is_dir():
            raise LagerError(f"--out {folder} is a file: give a folder")
        lock = folder / _LOCK
        if not (folder / SWEEP_JSON).exists() and folder.exists() and any(path != lock for path in folder.iterdir()):
            raise LagerError(f"--out {folder} is not empty and holds no sweep: choose another folder")
        self._lock = own(lock, what=f"--out {folder}")
        try:
            if (folder / SWEEP_JSON).exists():
                _check_identity(folder, read_json(folder / SWEEP_JSON, what="sweep"), identity)
                self._read()
            else:
                write_json(folder / SWEEP_JSON, identity, indent=1)
        except BaseException:
            disown(self._lock)
            raise

    def __enter__(self) -> SweepStore:
        """Hold the folder for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let other processes have the folder."""
        disown(self._lock)

    def done(self, keys: list[tuple[str, str, int | None, int]]) -> bool:
        """Return whether all these cells are finished."""
        return all(key in self.rows for key in keys)

    def append(self, rows: list[Row]) -> None:
        """Keep finished cells."""
        fresh = [row for row in rows if key_of(row) not in self.rows]
        text = "".join(canonical_json(row) + "\n" for row in fresh)
        try:
            with (self.folder / CELLS).open("ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LagerError(f"cannot write {self.folder / CELLS}: {error.strerror or error}") from None
        self.rows |= {key_of(row): row for row in fresh}

    def _read(self) -> None:
        """Take up the finished rows; a last line that was cut off is removed."""
        path = self.folder / CELLS
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = parse_json(line)
                self.rows[key_of(row)] = row
            except (ValueError, KeyError, TypeError):
                raise LagerError(
                    f"{path}, line {number} is no row of a sweep: remove that line, or choose another folder"
                ) from None
        if len(whole) < len(content):  # the last write was cut off
            with path.open("rb+") as file:
                file.truncate(len(whole))


def key_of(row: Row) -> Key:
    """Return what names a row's cell."""
    return tuple(row[part] for part in _KEY)


def _check_identity(folder: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise `LagerError` with what differs when the folder's rows depend on something else."""
    differs = [key for key in sorted({*found, *expected}) if found.get(key) != expected.get(key)]
    if differs:
        shown = ", ".join(_differs(key, found.get(key), expected.get(key)) for key in differs)
        raise LagerError(f"--out {folder} holds another sweep: {shown}; choose another folder")


def _differs(key: str, found: object, expected: object) -> str:
    """Return both values of what differs, the parts of a record by themselves."""
    if isinstance(found, dict) and isinstance(expected, dict):
        parts = [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
        return ", ".join(_differs(f"{key}.{name}", found.get(name), expected.get(name)) for name in parts)
    return f"{key} {_short(found)} instead of {_short(expected)}"


def _short(value: object) -> str:
    return str(value)[:12]
