"""Cells of CSV files that a spreadsheet would take for formulas: written with an apostrophe before them, read without.

An apostrophe is what spreadsheets take as the mark of text. A cell that has one already before such a beginning gets
another, so that what was written is read back as it was. Numbers in text columns stay as they are.
"""

from __future__ import annotations

import re

import polars as pl

_FORMULA = r"^'*[=+\-@\t\r]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_MARKED = re.compile(r"'+[=+\-@\t\r]")


def for_spreadsheets(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table whose texts, and names of columns, no spreadsheet takes for formulas."""
    names = _marked(pl.Series(table.columns, dtype=pl.String))
    columns = [_marked(column) if column.dtype == pl.String else column for column in table.get_columns()]
    return pl.DataFrame([column.alias(name) for name, column in zip(names, columns, strict=True)])


def _marked(texts: pl.Series) -> pl.Series:
    return texts.to_frame("text").select(text_cell("text"))["text"]


def text_cell(column: str) -> pl.Expr:
    """Return a column of texts, by its name, with an apostrophe where a spreadsheet would see a formula."""
    text = pl.col(column)
    formula = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    return pl.when(formula).then(pl.lit("'") + text).otherwise(text).alias(column)


def from_spreadsheet(cell: str) -> str:
    """Return what a cell was before `for_spreadsheets`."""
    return cell[1:] if _MARKED.match(cell) else cell
