"""Selected records as a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ...data.errors import LagerError
from ...data.files.csv_cells import for_spreadsheets
from ...data.files.writing import refuse_existing, replacing
from ...data.items.csv_rows import SELECTED
from .records import Record

FORMATS = (".jsonl", ".json", ".csv", ".parquet")


def check_out(path: Path) -> None:
    """Raise `LagerError` when `path` exists or its name does not say in which format to write."""
    if path.suffix.lower() not in FORMATS:
        raise LagerError(f"--out {path}: expected a name that ends in {', '.join(FORMATS)}")
    refuse_existing(path, what="selection")


def write_records(records: Sequence[Record], path: Path, *, raw: bool = False) -> None:
    """Write records, each with its id, its columns as they were, its score and its rank from 1."""
    check_out(path)
    rows = [_row(record, rank) for rank, record in enumerate(records, start=1)]
    suffix = path.suffix.lower()
    with replacing(path) as temporary:
        if suffix == ".jsonl":
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        elif suffix == ".json":
            temporary.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        else:
            _write_table(rows, temporary, suffix, path, raw=raw)


def _row(record: Record, rank: int) -> dict[str, Any]:
    """Return what is written of a record; its own columns are never overwritten."""
    row = {"id": record.record_id, **record.row}
    if taken := [name for name in SELECTED if name in record.row]:
        raise LagerError(f"the records have a column {taken[0]!r} already: rename it, it would be overwritten")
    return row | dict(zip(SELECTED, (record.score, rank), strict=True))


def _write_table(rows: list[dict[str, Any]], temporary: Path, suffix: str, path: Path, *, raw: bool) -> None:
    """Write CSV or Parquet, whose columns have one type each."""
    try:
        table = pl.DataFrame(rows, infer_schema_length=None)
        if suffix == ".csv":
            (table if raw else for_spreadsheets(table)).write_csv(temporary)
        else:
            table.write_parquet(temporary)
    except (pl.exceptions.PolarsError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise LagerError(f"{path} cannot hold these columns ({reason}): write .jsonl instead") from None
