"""The files of a comparison of evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ...data.files.writing import replacing, write_json
from ..report.outputs import REPORT, write_text
from ..report.text_tables import escape_latex, escape_markdown, latex_table, markdown_table
from .runs import Compared, cells, notes

NAMES = ("compare.json", "compare.csv", "compare.md", "compare.tex", REPORT, "figures")


def check_out(folder: Path) -> None:
    """Refuse a folder that holds a comparison or results already.

    Raises
    ------
    LagerError
        Before anything is read.
    """
    if folder.exists() and not folder.is_dir():
        raise LagerError(f"--out {folder} is a file: give a folder")
    for name in NAMES:
        if (folder / name).exists():
            raise LagerError(f"{folder / name} exists already: choose another folder for --out, or remove it first")


def write_comparison(compared: Compared, folder: Path) -> tuple[list[Path], list[str]]:
    """Write the table as JSON, CSV, Markdown and LaTeX, and a report.

    Returns
    -------
    list of Path
        What was written.
    list of str
        What was not, and why.
    """
    check_out(folder)
    write_json(folder / "compare.json", compared.as_json(), indent=1)
    _write_csv(compared, folder / "compare.csv")
    write_text(folder / "compare.md", markdown(compared))
    write_text(folder / "compare.tex", latex(compared))
    written = [folder / name for name in NAMES[:4]]
    from .report import write_report

    try:
        return [*written, *write_report(compared, folder)], []
    except LagerError as error:
        return written, [str(error)]


def markdown(compared: Compared) -> str:
    """Return the table in Markdown."""
    rows = []
    for row, figures in zip(compared.rows, cells(compared), strict=True):
        names = [escape_markdown(row.model), escape_markdown(row.strategy)]
        rows.append([*names, *(f"**{text}**" if best else text for text, best in figures)])
    titles = ["model", "strategy", *map(escape_markdown, compared.columns), "mean"]
    said = "\n".join(f"- {escape_markdown(line)}" for line in notes(compared, best="bold:"))
    return f"{markdown_table(titles, rows)}\n{said}\n"


def latex(compared: Compared) -> str:
    """Return the table in LaTeX, a rule between models."""
    sections: list[list[list[str]]] = []
    shown = None
    for row, figures in zip(compared.rows, cells(compared), strict=True):
        texts = ["--" if text == "-" else rf"\textbf{{{text}}}" if best else text for text, best in figures]
        if row.model != shown:
            sections.append([])
        sections[-1].append([escape_latex(row.model if row.model != shown else ""), escape_latex(row.strategy), *texts])
        shown = row.model
    titles = ["model", "strategy", *compared.columns, "mean"]
    return latex_table(titles, sections, comments=list(notes(compared, best="bold:")), names=2)


def _write_csv(compared: Compared, path: Path) -> None:
    import polars as pl

    names = ("model", "strategy", "metric", "level", "column", "estimate", "low", "high", "in_sample", "reason")
    rows: list[dict[str, Any]] = []
    for row in compared.rows:
        about = {"model": row.model, "strategy": row.strategy, "metric": compared.metric, "level": compared.level}
        about["in_sample"] = row.in_sample  # type: ignore[assignment]
        for column, value in row.cells.items():
            rows.append(
                about | {"column": column} | {name: value.get(name) for name in ("estimate", "low", "high", "reason")}
            )
        rows.append(about | {"column": "mean", "estimate": row.mean})
    table = pl.DataFrame([{name: row.get(name) for name in names} for row in rows], infer_schema_length=None)
    with replacing(path) as temporary:
        table.write_csv(temporary)
