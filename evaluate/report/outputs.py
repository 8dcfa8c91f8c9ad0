"""The files of an evaluation: results as JSON, CSV, Markdown and LaTeX, the figures, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.errors import LagerError
from ...data.files.writing import replacing, write_json
from ...data.safe_text import printable
from ..evaluation.abstention_curves import COLUMNS as ABSTENTION_COLUMNS
from ..evaluation.abstention_curves import Abstention, abstention
from ..evaluation.early_exit import EarlyExit, early_exits
from ..evaluation.evaluation import Evaluation
from ..evaluation.layer_curve import depth_curve, layer_curve
from .text_tables import latex, markdown

if TYPE_CHECKING:
    from .learning_figure import LearningPoint

RESULTS_JSON, RESULTS_CSV, RESULTS_MD, RESULTS_TEX = "results.json", "results.csv", "results.md", "results.tex"
ABSTENTION_CSV, REPORT, FIGURES = "abstention.csv", "report.html", "figures"
_COLUMNS = (
    "strategy", "level", "group", "metric", "estimate", "low", "high", "n", "coverage",
    "groups", "undefined_groups", "spread", "undefined_resamples", "in_sample", "source", "reason",
)  # fmt: skip


def check_out(folder: Path) -> None:
    """Refuse a folder that holds results already, and a path that is no folder.

    Raises
    ------
    LagerError
        Before anything is computed, so that nothing is lost.
    """
    if folder.exists() and not folder.is_dir():
        raise LagerError(f"--out {folder} is a file: give a folder")
    for name in (RESULTS_JSON, RESULTS_CSV, RESULTS_MD, RESULTS_TEX, ABSTENTION_CSV, REPORT, FIGURES):
        if (folder / name).exists():
            raise LagerError(f"{folder / name} exists already: choose another folder for --out, or remove it first")


def write_outputs(
    evaluation: Evaluation, folder: Path, *, learning: Sequence[LearningPoint] = ()
) -> tuple[list[Path], list[str]]:
    """Write an evaluation's files into a folder.

    Parameters
    ----------
    evaluation : Evaluation
    folder : Path
        New, or without results.
    learning : sequence of LearningPoint
        A sweep's results over training sizes, for a figure of them.

    Returns
    -------
    list of Path
        What was written.
    list of str
        What was not, and why.
    """
    check_out(folder)
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
    _write_csv(tidy_rows(evaluation), _COLUMNS, folder / RESULTS_CSV)
    for name, text in ((RESULTS_MD, markdown(evaluation)), (RESULTS_TEX, latex(evaluation))):
        write_text(folder / name, text)
    written = [folder / name for name in (RESULTS_JSON, RESULTS_CSV, RESULTS_MD, RESULTS_TEX)]
    if abstained is not None and abstained.curves:
        _write_csv(abstained.rows(), ABSTENTION_COLUMNS, folder / ABSTENTION_CSV)
        written.append(folder / ABSTENTION_CSV)
    try:
        report = _write_report(evaluation, folder, layers, depth, early=early, abstained=abstained, learning=learning)
        return [*written, *report], []
    except LagerError as error:
        return written, [str(error)]


def _write_report(
    evaluation: Evaluation,
    folder: Path,
    layers: Sequence[float | None] | None,
    depth: Sequence[float | None] | None,
    *,
    early: Sequence[EarlyExit],
    abstained: Abstention | None,
    learning: Sequence[LearningPoint],
) -> list[Path]:
    """Write figures and report; without matplotlib a `LagerError` says what to install."""
    from .drawing import drawing, save
    from .figures import draw_all
    from .page import render_report

    with drawing():
        drawn = draw_all(evaluation, layers=layers, depth=depth, early=early, abstained=abstained, learning=learning)
        for one in drawn:
            save(one, folder / FIGURES)
        write_text(folder / REPORT, render_report(evaluation, drawn))
    return [folder / REPORT, folder / FIGURES]


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all; control characters in it become visible."""
    with replacing(path) as temporary:
        temporary.write_text(printable(text, keep="\n\t"), encoding="utf-8")


def _write_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], path: Path) -> None:
    import polars as pl

    table = pl.DataFrame(list(rows), schema=list(columns), infer_schema_length=None)
    with replacing(path) as temporary:
        table.write_csv(temporary)


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
