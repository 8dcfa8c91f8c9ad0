"""Reading Parquet files from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from .errors import LagerError
from .parquet_bounds import check_parquet

_FREE_BYTES, _MOST_GAIN = 256 << 20, 100  # how much text may come out of a file: so much, or so many times its size


def read_parquet(path: Path, *, what: str, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a Parquet file, all of it or some columns.

    Raises
    ------
    LagerError
        When it cannot be read, or would take much more memory than fits its size. The reader panics on some damaged
        files, and a panic is no `Exception`.
    FileNotFoundError
        When it does not exist.
    """
    try:
        check_parquet(path)
        table = pl.read_parquet(path, columns=columns)
        if (text := sum(map(_text_bytes, table))) > max(_FREE_BYTES, _MOST_GAIN * path.stat().st_size):
            raise ValueError(f"it holds {text} bytes of text, the same over and over")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, MemoryError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise LagerError(f"cannot read {what} {path}: {reason}; it is damaged, restore it from a copy") from None
    return table


def _text_bytes(column: pl.Series) -> int:
    """Return the length of all text in a column, which a dictionary may tell once and point to often."""
    dtype: Any = column.dtype
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return int(column.cast(pl.String).str.len_bytes().cast(pl.UInt64).sum())
    if isinstance(dtype, pl.List | pl.Array):
        if dtype.inner.is_numeric():  # not laid out once more for nothing: it may be large
            return 0
        return _text_bytes(column.explode())
    if isinstance(dtype, pl.Struct):
        return sum(_text_bytes(column.struct.field(field.name)) for field in dtype.fields)
    return 0
