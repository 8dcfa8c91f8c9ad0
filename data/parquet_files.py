"""Reading Parquet files from anywhere."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from .errors import LagerError


def read_parquet(path: Path, *, what: str, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a Parquet file, all of it or some columns.

    Raises
    ------
    LagerError
        When it cannot be read. The reader panics on some damaged files, and a panic is no `Exception`.
    FileNotFoundError
        When it does not exist.
    """
    try:
        return pl.read_parquet(path, columns=columns)
    except FileNotFoundError:
        raise
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise LagerError(f"cannot read {what} {path}: {reason}; it is damaged, restore it from a copy") from None
