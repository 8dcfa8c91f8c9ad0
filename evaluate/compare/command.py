"""The command `lager compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...data.files.out_folder import filling
from ..options import Raw
from ..output import show, tell


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
    raw: Raw = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Put several evaluations in one table: models down, benchmarks and conditions across, the mean last.

    Example: lager compare results/flask results/helpsteer --out results/all
    """
    from .comparison_table import comparison_table
    from .outputs import NAMES, write_comparison
    from .runs import compare_runs

    with filling(out, NAMES):
        compared = compare_runs(folders, metric=metric, level=level, strategies=strategy or ())
        show(compared.as_json, lambda: comparison_table(compared), as_json=as_json)
        written, missing = ([], []) if out is None else write_comparison(compared, out, raw=raw)
        tell(written=written, notes=missing)
