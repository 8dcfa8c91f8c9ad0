"""Reading Parquet files from anywhere, and writing them block by block.

The library that reads them takes what memory a file asks for, and a file of some kB can ask for any amount. So a child
process measures a file first, under limits of memory and time; what passes there is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import LagerError
from .bounds import most_bytes
from .child_process import ChildProcess

_CHILD = Path(__file__).with_name("parquet_child.py")
_OWN_BYTES = 256 << 20  # what the child takes for itself; a table may be there twice, packed and unpacked
_SECONDS, _BYTES_PER_SECOND = 60, 4 << 20
_MARK, _LEAST_BYTES = b"PAR1", 12  # at both ends, and the length of what lies between


def read_parquet(path: Path, *, what: str, columns: list[str] | None = None, trusted: bool = False) -> pl.DataFrame:
    """Read a Parquet file, all of it or some columns.

    Raises `FileNotFoundError` when it does not exist.
    """
    if not trusted:
        check_parquet(path, what=what)
    try:
        return pl.read_parquet(path, columns=columns, glob=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, MemoryError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # The reader panics on some damaged files, and a panic is no `Exception`.
        raise _damaged(path, what, str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from None


def check_parquet(path: Path, *, what: str) -> None:
    """Check in a child process that a Parquet file can be read, and takes no more memory than fits its size.

    Raises `FileNotFoundError` when it does not exist.
    """
    size = path.stat().st_size
    if not _has_marks(path, size):
        raise _damaged(path, what, "it does not begin and end as a Parquet file does")
    most = most_bytes(size)
    memory, seconds = _OWN_BYTES + 2 * most, _SECONDS + size / _BYTES_PER_SECOND
    child = ChildProcess(_CHILD, POLARS_MAX_THREADS="2")  # each thread takes memory of its own
    try:
        answer = child.ask({"path": str(path), "memory": memory, "most": most}, seconds=seconds)
    finally:
        child.close()
    if answer is None:
        raise _damaged(path, what, f"reading it takes more than {memory >> 20} MiB of memory or {seconds:.0f} s")
    if answer["refused"] is not None:
        raise _damaged(path, what, answer["refused"])


def write_blocks(tables: Callable[[], Iterable[pl.DataFrame]], schema: Any, path: Path, *, group_rows: int) -> None:
    """Write tables to one Parquet file as they come; a `LagerError` that their making raises comes through."""
    from polars.io.plugins import register_io_source

    failures: list[LagerError | UnicodeError] = []

    def source(*_: Any) -> Iterator[pl.DataFrame]:
        try:
            yield from tables()
        except (LagerError, UnicodeError) as error:
            failures.append(error)
            raise

    try:
        register_io_source(source, schema=schema).sink_parquet(path, row_group_size=group_rows)
    except pl.exceptions.PolarsError:
        if failures:  # polars wraps what its source raises
            raise failures[0] from None
        raise


def _has_marks(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, size - 4))
        return size >= _LEAST_BYTES and head == file.read(4) == _MARK


def _damaged(path: Path, what: str, reason: str) -> LagerError:
    return LagerError(f"cannot read {what} {path}: {reason}; it is damaged, restore it from a copy")
