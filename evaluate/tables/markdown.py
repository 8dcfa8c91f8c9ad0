"""A table in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .table import Cell, Column, Table

_SPECIAL = re.compile(r"[\\`*_\[\]<>|#~&$]")
_LIST = re.compile(r"^(\s*\d*)([-+.)]\s)")  # where it begins a line


def markdown(table: Table) -> str:
    """Return what is said above a table, the table with the best figures in bold, and the notes as a list."""
    table = table.shown_in("markdown")
    lines = ["  \n".join(map(escape_markdown, table.headline)), ""] if table.headline else []
    lines += [_line([escape_markdown(column.line) for column in table.columns]), _line(_rule(table.columns))]
    lines += [_line([_text(cell) for cell in row]) for row in (*table.rows, *table.foot)]
    lines += ["", *(f"- {escape_markdown(line)}" for line in table.lines_below("bold:"))]
    return "\n".join(lines) + "\n"


def _rule(columns: Sequence[Column]) -> list[str]:
    """Return the rule below the titles, which says that figures stand to the right."""
    return ["---" if column.kind == "name" else "---:" for column in columns]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(cell: Cell) -> str:
    """Return a cell in Markdown."""
    text = escape_markdown(cell.text) + cell.mark + (f" ({escape_markdown(cell.note)})" if cell.note else "")
    text = " ".join(filter(None, [text, cell.interval()]))
    return f"**{text}**" if cell.best else text


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is."""
    text = _SPECIAL.sub(r"\\\g<0>", " ".join(text.splitlines()))
    return _LIST.sub(r"\1\\\2", text)
