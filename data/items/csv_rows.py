"""Rows of a CSV file as Python's csv module reads them; what could be meant in two ways is refused with its row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from ..errors import LagerError
from ..files.csv_cells import from_spreadsheet
from ..files.json_text import RECORD
from ..files.text import open_text

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
#: What `lager select` adds to the columns of its records. A CSV file with both is its own: its cells lose
#: the mark by which spreadsheets know texts.
SELECTED = ("selection_score", "selection_rank")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')

Cells = list[str | None]


class CsvTable(NamedTuple):
    """An open CSV file.

    Attributes
    ----------
    columns : list of str
        Names in the header, without spaces around them; empty in an empty file.
    rows : iterator of list
        The cells of each row, None for an empty one.
    """

    columns: list[str]
    rows: Iterator[Cells]


@contextmanager
def open_csv(path: Path) -> Iterator[CsvTable]:
    """Open a CSV file whose cells are parted by commas, or by semicolons or tabs where its header says so.

    Quotes inside a quoted cell are doubled; a backslash is a character like any other. Blank lines are left out.
    """
    with open_text(path, newline="") as file, _long_cells():
        separator = _separator(_header(file), path)
        file.seek(0)
        reader = csv.reader(_lines(file, path), delimiter=separator, strict=True)
        cells = _cells(reader, path)
        columns = [name.strip() for name in next(cells, [])]
        if repeated := sorted({name for name in columns if columns.count(name) > 1}):
            raise LagerError(
                f"{path}: the header names {', '.join(map(repr, repeated))} more than once: rename or remove columns"
            )
        rows = _rows(cells, columns, reader, path)
        if set(SELECTED) <= set(columns):
            columns = list(map(from_spreadsheet, columns))
            rows = ([None if cell is None else from_spreadsheet(cell) for cell in row] for row in rows)
        yield CsvTable(columns, rows)


def _rows(cells: Iterator[list[str]], columns: list[str], reader: object, path: Path) -> Iterator[Cells]:
    """Yield rows that have as many cells as the header."""
    width = len(columns)
    for number, row in enumerate(cells, start=1):
        if len(row) != width:
            raise LagerError(
                f"{path}, row {number} (line {reader.line_num}): {len(row)} cells, "  # type: ignore[attr-defined]
                f"expected {width} as in the header: put cells with separators or line breaks in quotes, and double "
                "the quotes in them"
            )
        yield [cell or None for cell in row]


def _cells(reader: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    """Yield the cells of every line that has any, the header's first."""
    number = 0
    try:
        for row in reader:
            if row:
                yield row
                number += 1
    except csv.Error as error:
        line = reader.line_num  # type: ignore[attr-defined]
        raise LagerError(
            f"{path}, row {number} (line {line}): {error}; in a quoted cell double the quotes, a backslash before them "
            "means nothing"
        ) from None


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """Yield lines; `LagerError` for a zero byte, which no text has: such a file is cut, or UTF-16 without its mark."""
    for number, line in enumerate(iter(lambda: file.readline(RECORD.size + 1), ""), start=1):
        if "\0" in line:
            raise LagerError(f"{path}, line {number}: it holds a zero byte, which is no text: write the file as UTF-8")
        yield line


def _header(file: TextIO) -> str:
    """Return the text of the header, which goes on while a quote is open."""
    text = ""
    while line := file.readline(RECORD.size):
        text += line
        if text.strip() and (text.count('"') % 2 == 0 or len(text) > RECORD.size):
            break
    return text


def _separator(header: str, path: Path) -> str:
    """Return what parts the cells: the only one of the separators that stands outside quotes in the header."""
    bare = _QUOTED.sub("", header.strip("\r\n"))
    found = [separator for separator in _SEPARATORS if separator in bare]
    if len(found) > 1:
        raise LagerError(
            f"{path}: the header has {' and '.join(_SEPARATORS[one] for one in found)}, and either may part the "
            "columns: put names with such a character in quotes"
        )
    return found[0] if found else ","


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let the csv module take cells as long as a record may be; it refuses texts above 128 KiB otherwise."""
    before = csv.field_size_limit(RECORD.size)
    try:
        yield
    finally:
        csv.field_size_limit(before)
