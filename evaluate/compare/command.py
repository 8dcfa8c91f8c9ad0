"""The command `lager compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...data.console import table_console
from ...data.files.canonical import canonical_json
from ...data.safe_text import printable

if TYPE_CHECKING:
    from rich.table import Table

    from .runs import Compared


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Folders that lager evaluate --out wrote.", show_default=False),
    ],
    *,
    metric: Annotated[str, typer.Option(help="The metric of the table.")] = "spearman",
    level: Annotated[
        str | None, typer.Option(help="pooled, group or system (default: the one that all evaluations share)")
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy", help="Row of each model; may be repeated (default: the paper's four, and scores from files)"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the table as JSON, CSV, Markdown, LaTeX and a report.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Put several evaluations in one table: models down, benchmarks and conditions across, the mean last.

    Example: lager compare results/flask results/helpsteer --out results/all
    """
    from .outputs import check_out, write_comparison
    from .runs import compare_runs

    if out is not None:
        check_out(out)
    compared = compare_runs(folders, metric=metric, level=level, strategies=strategy or ())
    if as_json:
        typer.echo(canonical_json(compared.as_json()))
    else:
        from rich.text import Text

        console = table_console()
        console.print(_table(compared))
        from .runs import notes

        for line in notes(compared, best="*"):
            console.print(Text(printable(line)))
    written, missing = ([], []) if out is None else write_comparison(compared, out)
    for path in written:
        typer.echo(f"written: {path}", err=True)
    for line in missing:
        typer.echo(f"note: {printable(line)}", err=True)


def _table(compared: Compared) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from .runs import cells

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for title in ("model", "strategy"):
        table.add_column(title, no_wrap=True)
    for title in (*compared.columns, "mean"):
        table.add_column(Text(printable(title)), justify="right")
    shown = ""
    for row, figures in zip(compared.rows, cells(compared), strict=True):
        if shown and row.model != shown:
            table.add_section()
        texts = [f"{text}{'*' if best else ' '}" for text, best in figures]
        named = ["" if row.model == shown else row.model, row.strategy]
        table.add_row(*(Text(printable(cell)) for cell in [*named, *texts]))
        shown = row.model
    return table
