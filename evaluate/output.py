"""How commands here give results: a table or JSON on standard output, the rest on standard error, files in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..data.files.canonical import canonical_json
from ..data.files.writing import replacing
from ..data.safe_text import printable

if TYPE_CHECKING:
    import polars as pl

    from .tables.table import Table


def show(content: Callable[[], Any], table: Callable[[], Table], *, as_json: bool) -> None:
    """Print results as JSON or as a table; only what is printed is made."""
    if as_json:
        typer.echo(canonical_json(content()))
        return
    from ..data.console import table_console
    from .tables.terminal import print_table

    print_table(table(), table_console())


def tell(*, notes: Iterable[str] = (), written: Iterable[Path] = ()) -> None:
    """Say on standard error what a reader should know and which files were written."""
    for path in written:
        typer.echo(f"written: {path}", err=True)
    for line in notes:
        typer.echo(f"note: {printable(line)}", err=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all; control characters in it become visible."""
    with replacing(path) as temporary:
        temporary.write_text(printable(text, keep="\n\t"), encoding="utf-8")


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, raw: bool = False) -> None:
    """Write rows as CSV, as a whole or not at all; a column that a row lacks is empty there."""
    import polars as pl

    table = pl.DataFrame([{name: row.get(name) for name in columns} for row in rows], infer_schema_length=None)
    write_csv_table(path, table, raw=raw)


def write_csv_table(path: Path, table: pl.DataFrame, *, raw: bool = False) -> None:
    """Write a table as CSV, as a whole or not at all; what a spreadsheet takes for a formula is marked as text."""
    from ..data.files.csv_cells import for_spreadsheets

    with replacing(path) as temporary:
        (table if raw else for_spreadsheets(table)).write_csv(temporary)
