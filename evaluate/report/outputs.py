"""The files of an evaluation: results as JSON, CSV, Markdown and LaTeX, the figures, and the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.files.out_folder import check_out
from ...data.files.writing import write_json
from ..evaluation.abstention_curves import COLUMNS as ABSTENTION_COLUMNS
from ..evaluation.abstention_curves import abstention
from ..evaluation.early_exit import early_exits
from ..evaluation.evaluation import Evaluation
from ..evaluation.layer_curve import depth_curve, layer_curve
from ..output import write_csv, write_csv_table, write_text
from ..tables.latex import latex
from ..tables.markdown import markdown
from ..tables.table import Table
from .drawing import NoMatplotlibError
from .result_table import result_table
from .scores_file import score_table

if TYPE_CHECKING:
    from .learning_figure import LearningPoint

RESULTS_JSON, RESULTS_CSV, RESULTS_MD, RESULTS_TEX = "results.json", "results.csv", "results.md", "results.tex"
SCORES_CSV = "scores.csv"
ABSTENTION_CSV, REPORT, FIGURES = "abstention.csv", "report.html", "figures"
NAMES = (RESULTS_JSON, RESULTS_CSV, RESULTS_MD, RESULTS_TEX, SCORES_CSV, ABSTENTION_CSV, REPORT, FIGURES)
_COLUMNS = (
    "strategy", "level", "group", "metric", "estimate", "low", "high", "n", "coverage",
    "groups", "undefined_groups", "spread", "undefined_resamples", "in_sample", "source", "reason",
)  # fmt: skip


def write_outputs(
    evaluation: Evaluation, folder: Path, *, learning: Sequence[LearningPoint] = (), raw: bool = False
) -> tuple[list[Path], list[str]]:
    """Write an evaluation's files into a folder."""
    check_out(folder, NAMES)
    layers = depth = None
    early = early_exits(evaluation)
    content = evaluation.as_json()
    if evaluation.cache is not None:
        options: dict[str, Any] = {"level": evaluation.agreement.level, "group": evaluation.group}
        layers, depth = layer_curve(evaluation.cache, **options), depth_curve(evaluation.cache, **options)
        content |= {
            name: {"metric": "spearman", "values": values} for name, values in (("layers", layers), ("depth", depth))
        }
    if early:
        content["early_exit"] = [one.as_json() for one in early]
    abstained = abstention(evaluation)
    if abstained is not None:
        content["abstention"] = abstained.as_json()
    write_json(folder / RESULTS_JSON, content, indent=1)
    write_csv(folder / RESULTS_CSV, tidy_rows(evaluation), _COLUMNS, raw=raw)
    table = result_table(evaluation)
    write_text(folder / RESULTS_MD, markdown(table))
    write_text(folder / RESULTS_TEX, latex(table))
    write_csv_table(folder / SCORES_CSV, score_table(evaluation), raw=raw)
    written = [folder / name for name in (RESULTS_JSON, RESULTS_CSV, RESULTS_MD, RESULTS_TEX, SCORES_CSV)]
    if abstained is not None and abstained.curves:
        write_csv(folder / ABSTENTION_CSV, abstained.rows(), ABSTENTION_COLUMNS, raw=raw)
        written.append(folder / ABSTENTION_CSV)
    try:
        drawn = {"layers": layers, "depth": depth, "early": early, "abstained": abstained, "learning": learning}
        return [*written, *_write_report(evaluation, table, folder, **drawn)], []
    except NoMatplotlibError as error:
        return written, [str(error)]


def _write_report(evaluation: Evaluation, table: Table, folder: Path, **drawn: Any) -> list[Path]:
    """Write the figures of `draw_all` and the report; without matplotlib a `LagerError` says what to install."""
    from .drawing import drawing, save
    from .figures import draw_all
    from .page import render_report

    with drawing():
        figures = draw_all(evaluation, **drawn)
        for one in figures:
            save(one, folder / FIGURES)
        write_text(folder / REPORT, render_report(evaluation, table, figures))
    return [folder / REPORT, folder / FIGURES]


def tidy_rows(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Yield one row per strategy, level, group and metric, nothing rounded."""
    level = evaluation.agreement.level
    for strategy, scored in zip(evaluation.agreement.strategies, evaluation.scored, strict=True):
        about = {"strategy": strategy.strategy, "in_sample": scored.in_sample, "source": scored.source}
        levels = {level: strategy.metrics} | ({} if level == "pooled" else {"pooled": strategy.pooled})
        for name, metrics in levels.items():
            counts = {"level": name, "group": None, "n": strategy.n, "coverage": strategy.coverage}
            yield from (about | counts | {"metric": metric} | asdict(value) for metric, value in metrics.items())
        for group in strategy.groups:
            counts = {"level": level, "group": group.group, "n": group.n, "coverage": None}
            yield from (about | counts | {"metric": metric} | asdict(value) for metric, value in group.metrics.items())
