"""Rows of large JSONL, CSV and Parquet files by their number, without the whole file in memory."""

from __future__ import annotations

import codecs
import shutil
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import polars as pl

from ..errors import LagerError
from ..files.json_text import RECORD
from ..files.parquet import check_parquet, write_blocks
from ..files.text import encoding_of, open_text
from .csv_rows import open_csv
from .small_files import parse_jsonl, readable

_INDEXED = 64
_GROUP_ROWS = 4096


class RowFile(Protocol):
    """A file whose rows can be read by their number.

    Attributes
    ----------
    path : Path
        The file.
    columns : list of str
        The columns that any row has, in the order in which they are met.
    n_rows : int
        How many rows there are.
    """

    path: Path
    columns: list[str]
    n_rows: int

    def read(self, start: int, stop: int) -> list[dict[str, Any]]:
        """Return the rows from `start` to before `stop`, as `lager.data.items.small_files.read_rows` does."""
        ...


def open_rows(path: Path) -> RowFile:
    """Open a file whose name ends in .jsonl, .ndjson, .csv or .parquet."""
    kinds: dict[str, Callable[[Path], RowFile]] = {
        ".jsonl": JsonlRows,
        ".ndjson": JsonlRows,
        ".csv": CsvRows,
        ".parquet": ParquetRows,
    }
    with readable(path, what="item file"):
        rows = kinds[path.suffix.lower()](path)
    if not rows.n_rows:
        raise LagerError(f"item file {path} is empty: expected at least one row")
    return rows


class JsonlRows:
    """Rows of a JSONL file: the place of every 64th one is kept, the rest is found from there."""

    def __init__(self, path: Path) -> None:
        self.path, self.n_rows = path, 0
        columns: dict[str, None] = {}
        self._places = array("q")  # in bytes, of every `_INDEXED`th row
        self._numbers = array("q")  # the numbers of their lines
        self._text = self._in_utf8()
        with self._text.open("rb") as file:
            at = 3 if file.read(3) == codecs.BOM_UTF8 else 0
            file.seek(at)
            for number, line in enumerate(_lines(file), start=1):
                for row in parse_jsonl([line.decode("utf-8")], path=path, first=number):
                    columns |= dict.fromkeys(row)
                    if self.n_rows % _INDEXED == 0:
                        self._places.append(at)
                        self._numbers.append(number)
                    self.n_rows += 1
                at += len(line)
        self.columns = list(columns)

    def read(self, start: int, stop: int) -> list[dict[str, Any]]:
        """Return the rows from `start` to before `stop`."""
        rows: list[dict[str, Any]] = []
        block = start // _INDEXED
        with self._text.open("rb") as file:
            file.seek(self._places[block])
            for number, line in enumerate(_lines(file), start=self._numbers[block]):
                rows += parse_jsonl([line.decode("utf-8")], path=self.path, first=number)
                if len(rows) == stop - block * _INDEXED:
                    break
        return rows[start - block * _INDEXED :]

    def _in_utf8(self) -> Path:
        """Return the file, or where it has another encoding a temporary copy in UTF-8."""
        with self.path.open("rb") as file:
            if encoding_of(file.read(4)) in {"utf-8", "utf-8-sig"}:
                return self.path
        copy = _temporary_folder(self) / "rows.jsonl"
        with open_text(self.path, newline="") as source, copy.open("w", encoding="utf-8", newline="") as target:
            shutil.copyfileobj(source, target)
        return copy


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, whichever way they end; of one longer than a record, no more than shows that it is."""
    for line in iter(lambda: file.readline(4 * RECORD.size + 1), b""):
        yield from line.splitlines(keepends=True) if b"\r" in line else [line]


class ParquetRows:
    """Rows of a Parquet file; of a row group no more is decoded than the rows that are asked for need."""

    def __init__(self, path: Path, *, named: Path | None = None) -> None:
        self.path, self._is_ours = named or path, named is not None
        self._scan = pl.scan_parquet(path, glob=False)
        self.schema = self._scan.collect_schema()
        self.columns = self.schema.names()
        self.n_rows = int(self._scan.select(pl.len()).collect().item())
        self.n_bytes = path.stat().st_size

    def check(self) -> None:
        """Check that rows take no more memory than fits the file; a `LagerError` when they do.

        Once for a file, not for each who reads some of its rows: the whole file is read.
        """
        if not self._is_ours:
            check_parquet(self.path, what="item file")

    def read(self, start: int, stop: int) -> list[dict[str, Any]]:
        """Return the rows from `start` to before `stop`."""
        return self.frame(start, stop, self.columns).to_dicts()

    def frame(self, start: int, stop: int, columns: Sequence[str]) -> pl.DataFrame:
        """Return some columns of the rows from `start` to before `stop`; no other column is decoded."""
        with readable(self.path, what="item file"):
            return self._scan.select(columns).slice(start, stop - start).collect()


class CsvRows(ParquetRows):
    """Rows of a CSV file, in which a row's place cannot be told: a temporary Parquet copy is read in its stead."""

    def __init__(self, path: Path) -> None:
        copy = _temporary_folder(self) / "rows.parquet"
        with open_csv(path) as table:
            columns = table.columns
        if columns:
            write_blocks(partial(_csv_blocks, path), dict.fromkeys(columns, pl.String), copy, group_rows=_GROUP_ROWS)
        else:
            pl.DataFrame().write_parquet(copy)
        super().__init__(copy, named=path)


def _csv_blocks(path: Path) -> Iterator[pl.DataFrame]:
    with open_csv(path) as table:
        schema = dict.fromkeys(table.columns, pl.String)
        while block := list(islice(table.rows, _GROUP_ROWS)):
            yield pl.DataFrame(block, schema=schema, orient="row")


def _temporary_folder(owner: object) -> Path:
    """Return a new folder that is removed when its owner is gone."""
    folder = tempfile.mkdtemp(prefix="lager-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
