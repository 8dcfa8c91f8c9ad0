"""A table on the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...data.safe_text import printable
from .table import Cell, Column, Row, Table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

_BESIDE = 136  # columns from which intervals stand beside the figures, not below them
_WIDE = 100  # columns from which there is room for counts and a third digit of the intervals


def print_table(table: Table, console: Console) -> None:
    """Print what is said above a table, the table, and what is said below it."""
    from rich.text import Text

    for line in table.headline:
        console.print(Text(printable(line)))
    for part in _parts(table.shown_in("wide terminal" if console.width >= _WIDE else "narrow terminal")):
        console.print(_drawn(part, console.width))
    for line in table.lines_below("*"):
        console.print(Text(printable(line)))


def _parts(table: Table) -> Iterator[Table]:
    """Yield tables with so many figures each; what stands beside all figures is in the first one only."""
    kinds = [column.kind for column in table.columns]
    names = [place for place, kind in enumerate(kinds) if kind == "name"]
    figures = [place for place, kind in enumerate(kinds) if kind == "figure"]
    beside = [place for place, kind in enumerate(kinds) if kind not in {"name", "figure"}]
    abreast = table.abreast or len(figures)
    if len(figures) <= abreast:
        yield table
        return
    for start in range(0, len(figures), abreast):
        yield table.take([*names, *figures[start : start + abreast], *(beside if start == 0 else [])])


def _drawn(table: Table, width: int) -> RichTable:
    """Return the table as rich draws it."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0))
    for column in table.columns:
        drawn.add_column(Text(printable(column.title, keep="\n")), justify="left" if column.kind == "name" else "right")
    for place, section in enumerate([*table.in_sections(), *([list(table.foot)] if table.foot else [])]):
        if place:
            drawn.add_section()
        for row in section:
            drawn.add_row(*(Text(printable(text, keep="\n")) for text in _texts(table, row, width)))
    return drawn


def _texts(table: Table, row: Row, width: int) -> Iterator[str]:
    """Yield the text of each cell; where figures are marked, one without a mark has a space in its place."""
    separator = " " if width >= _BESIDE else "\n"
    for column, cell in zip(table.columns, row, strict=True):
        parts = [cell.text + (_mark(column, cell) if table.legend else ""), cell.note, _short_interval(cell, width)]
        yield separator.join(filter(None, parts))


def _mark(column: Column, cell: Cell) -> str:
    """Return what follows a figure: marks, or a space in their place; names and counts have none."""
    if column.kind not in {"figure", "aside"} or not cell.text:
        return ""
    return ("*" if cell.best else "") + cell.mark or " "


def _short_interval(cell: Cell, width: int) -> str:
    """Return the interval without zeros before the points, which a narrow terminal has no room for."""
    return re.sub(r"(?<=[\[ ])(-?)0\.", r"\1.", cell.interval(3 if width >= _WIDE else 2))
