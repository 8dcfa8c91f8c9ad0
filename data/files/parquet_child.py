"""Measures a Parquet file for another process, which may stop this one; run as a script, it needs polars alone.

It reads a line of JSON: the file's path, the memory that this process may take, and how many bytes may come out of the
file. It answers with ``refused``, a reason or null. The file is read to its end, a batch of rows at a time.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from typing import Any

import polars as pl

_BYTES_OF_VALUE = 16  # at least, of a text or a number in a table
_MOST_DEPTH, _MOST_COLUMNS = 32, 10_000


def main() -> None:
    """Answer one question."""
    question = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory(question["memory"])
    try:
        refused = refusal(question["path"], most=question["most"])
    except BaseException as error:  # polars panics on some damaged files, and a panic is no `Exception`
        refused = (str(error).splitlines() or [type(error).__name__])[0][:200]
    print(json.dumps({"refused": refused}), flush=True)


def refusal(path: str, *, most: int) -> str | None:
    """Return why a file is not to be read: it would take more than `most` bytes; None where it may."""
    table = pl.scan_parquet(path, glob=False)
    schema = table.collect_schema()
    if len(schema) > _MOST_COLUMNS:
        return "its columns are too many or too deep"
    rows = table.select(pl.len()).collect().item()
    values, text = rows * max(1, len(schema)), 0
    if schema and values * _BYTES_OF_VALUE <= most:  # else nothing needs to be read
        sums = [size_of(pl.col(name), dtype) for name, dtype in schema.items()]
        found = table.select(
            values=pl.sum_horizontal(one for one, _ in sums), text=pl.sum_horizontal(one for _, one in sums)
        )
        values, text = found.collect(engine="streaming").row(0)
    if values * _BYTES_OF_VALUE > most:
        return f"it has {os.path.getsize(path)} bytes and claims {values} values"
    return f"it holds {text} bytes of text, the same over and over" if text > most else None


def size_of(column: pl.Expr, dtype: Any, depth: int = 0) -> tuple[pl.Expr, pl.Expr]:
    """Return the number of values in a column, and the length of all its text, which may be told once for many rows."""
    if depth > _MOST_DEPTH:
        raise ValueError("its columns are too many or too deep")
    values, no_text = column.len().cast(pl.UInt64), pl.lit(0, pl.UInt64)
    if dtype == pl.String:
        return values, column.str.len_bytes().cast(pl.UInt64).sum()
    if dtype == pl.Binary:
        return values, column.bin.size().cast(pl.UInt64).sum()
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return size_of(column.cast(pl.String), pl.String)
    if isinstance(dtype, pl.List | pl.Array):
        inner = dtype.inner
        if isinstance(dtype, pl.List) and inner.is_numeric():  # not laid out once more for nothing: it may be large
            return values + column.list.len().cast(pl.UInt64).sum(), no_text
        of_lists, text = size_of(column.explode(), inner, depth + 1)
        return values + of_lists, text
    if isinstance(dtype, pl.Struct):
        parts = [size_of(column.struct.field(field.name), field.dtype, depth + 1) for field in dtype.fields]
        return sum((one for one, _ in parts), values), sum((one for _, one in parts), no_text)
    return values, no_text


def _limit_memory(limit: int) -> None:
    with suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))  # not of addresses: polars reserves far more of them


def _end_with_parent() -> None:
    while os.read(0, 1):  # at its end, who asked is gone or wants no answer any more
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
    os._exit(0)  # nothing is left to do, and a thread still waits for the parent
