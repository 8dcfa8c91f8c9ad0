"""One table: what is known of every cell, and nothing of how an output shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Output = Literal["narrow terminal", "wide terminal", "markdown", "latex", "page"]
Kind = Literal["name", "figure", "aside", "count", "text"]
#: What stands for a figure that is undefined.
NONE = "-"
#: Where a legend says how the best figure of a column is marked.
BEST = "{best}"


class Column(NamedTuple):
    """One column.

    Attributes
    ----------
    title : str
        A line break where a terminal breaks it.
    kind : {"name", "figure", "aside", "count", "text"}
        What a row is called; a figure; a figure, or a count, that stands once beside all figures; a text.
    hidden : tuple of str
        Outputs that have no room for it.
    """

    title: str
    kind: Kind = "figure"
    hidden: tuple[Output, ...] = ()

    @property
    def line(self) -> str:
        """The title in one line."""
        return self.title.replace("\n", " ")


class Cell(NamedTuple):
    """One cell.

    Attributes
    ----------
    text : str
        A name, or a figure without marks and interval; `NONE` where it is undefined.
    value : float, str or None
        What a reader sorts by; None where there is nothing.
    low, high : float or None
        Ends of the interval, None where there is none.
    mark : str
        ``+`` or ``-`` for a figure that is significantly above or below a baseline's.
    best : bool
        Whether it is the best of its column.
    note : str
        What is said beside a name.
    reason : str
        Why the figure or its interval is undefined.
    """

    text: str
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    mark: str = ""
    best: bool = False
    note: str = ""
    reason: str = ""

    @property
    def undefined(self) -> bool:
        """Whether it is a figure that is undefined."""
        return self.value is None and self.text == NONE

    def interval(self, digits: int = 3) -> str:
        """Return ``[low, high]``, empty where there is no interval."""
        if self.low is None or self.high is None:
            return ""
        return f"[{decimal(self.low, digits)}, {decimal(self.high, digits)}]"


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """One table with what is said above and below it.

    Parameters
    ----------
    columns : tuple of Column
    rows : tuple of tuple of Cell
    foot : tuple of tuple of Cell
        Rows below a rule, which are not compared with the others.
    caption : str
        What the report calls it.
    headline : tuple of str
        Lines above it.
    legend : str
        The first line below it, which says with `BEST` in it how the best figures are marked; empty where none are.
    notes : tuple of str
        Further lines below it.
    abreast : int
        Figures side by side on a terminal, more go into further tables; 0 for all.
    sections : bool
        Whether rows of the same first name belong together: the name is said once, and a rule parts them.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    foot: tuple[Row, ...] = ()
    caption: str = ""
    headline: tuple[str, ...] = ()
    legend: str = ""
    notes: tuple[str, ...] = ()
    abreast: int = 0
    sections: bool = False

    def shown_in(self, output: Output) -> Table:
        """Return the table with the columns that an output has room for."""
        return self.take([place for place, column in enumerate(self.columns) if output not in column.hidden])

    def take(self, places: Sequence[int]) -> Table:
        """Return the table with some of its columns."""
        rows, foot = (tuple(tuple(row[i] for i in places) for row in part) for part in (self.rows, self.foot))
        return replace(self, columns=tuple(self.columns[i] for i in places), rows=rows, foot=foot)

    def lines_below(self, best: str) -> list[str]:
        """Return legend and notes; `best` is how the output marks the best figures."""
        return [*([self.legend.replace(BEST, best)] if self.legend else []), *self.notes]

    def in_sections(self) -> list[list[Row]]:
        """Return the rows in parts between which an output draws a rule, a name that is repeated left out."""
        if not self.sections:
            return [list(self.rows)]
        parts: list[list[Row]] = []
        for row in self.rows:
            if parts and parts[-1][0][0] == row[0]:
                parts[-1].append((Cell(""), *row[1:]))
            else:
                parts.append([row])
        return parts


def decimal(value: float | None, digits: int = 3) -> str:
    """Return a number as text, without the sign of a zero; `NONE` for none."""
    return NONE if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def name(text: str, note: str = "") -> Cell:
    """Return the cell of a name."""
    return Cell(text, text, note=note)


def number(value: float | None, digits: int = 3) -> Cell:
    """Return the cell of a number that has no interval."""
    return Cell(decimal(value, digits), value)


def interval(
    value: float | None, low: float | None, high: float | None, *, mark: str = "", best: bool = False, reason: str = ""
) -> Cell:
    """Return the cell of a figure with its interval."""
    return Cell(decimal(value), value, low, high, mark, best, reason=reason)


def percent(value: float | None, digits: int = 0) -> Cell:
    """Return the cell of a part of a whole, as a percentage."""
    return Cell(NONE if value is None else f"{value:.{digits}%}", value)


def count(value: int | None) -> Cell:
    """Return the cell of a count."""
    return Cell(NONE if value is None else str(value), value)
