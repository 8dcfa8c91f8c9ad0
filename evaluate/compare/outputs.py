"""The files of a comparison of evaluations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...data.files.out_folder import check_out
from ...data.files.writing import write_json
from ..output import write_csv, write_text
from ..report.drawing import NoMatplotlibError
from ..report.outputs import FIGURES, REPORT
from ..tables.latex import latex
from ..tables.markdown import markdown
from .comparison_table import comparison_table, metric_and_level
from .runs import Compared

NAMES = ("compare.json", "compare.csv", "compare.md", "compare.tex", REPORT, FIGURES)
_COLUMNS = ("model", "strategy", "metric", "level", "column", "estimate", "low", "high", "in_sample", "reason")


def write_comparison(compared: Compared, folder: Path, *, raw: bool = False) -> tuple[list[Path], list[str]]:
    """Write the table as JSON, CSV, Markdown and LaTeX, and a report."""
    check_out(folder, NAMES)
    write_json(folder / "compare.json", compared.as_json(), indent=1)
    write_csv(folder / "compare.csv", _tidy_rows(compared), _COLUMNS, raw=raw)
    table = comparison_table(compared)
    write_text(folder / "compare.md", markdown(table))
    write_text(folder / "compare.tex", latex(table))
    written = [folder / name for name in NAMES[:4]]
    try:
        return [*written, *_write_report(compared, folder)], []
    except NoMatplotlibError as error:
        return written, [str(error)]


def _write_report(compared: Compared, folder: Path) -> list[Path]:
    """Write the report and its figure; without matplotlib a `LagerError` says what to install."""
    from ..report.drawing import drawing, save
    from ..report.page import render
    from .models_figure import draw_models

    with drawing():
        drawn = draw_models(compared)
        save(drawn, folder / FIGURES)
        table = comparison_table(compared, intervals=True)
        page = render([table], [drawn], title="Comparison of evaluations", headline=[metric_and_level(compared)])
    write_text(folder / REPORT, page)
    return [folder / REPORT, folder / FIGURES]


def _tidy_rows(compared: Compared) -> Iterator[dict[str, Any]]:
    """Yield one row per model, strategy and column, nothing rounded."""
    for row in compared.rows:
        about = {"model": row.model, "strategy": row.strategy, "metric": compared.metric, "level": compared.level,
                 "in_sample": row.in_sample}  # fmt: skip
        for column, value in {**row.cells, "mean": {"estimate": row.mean}}.items():
            yield about | {"column": column} | value
