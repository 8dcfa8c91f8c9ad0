"""The files of an evaluation: results.json, results.csv and the per-layer curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..data.errors import LagerError
from ..data.files import replacing, write_json
from .evaluation import Evaluation
from .layer_curve import layer_curve
from .layer_figure import draw_layer_figure

RESULTS_JSON, RESULTS_CSV, LAYERS_PNG = "results.json", "results.csv", "layers.png"
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
    for name in (RESULTS_JSON, RESULTS_CSV, LAYERS_PNG):
        if (folder / name).exists():
            raise LagerError(f"{folder / name} exists already: choose another folder for --out, or remove it first")


def write_outputs(evaluation: Evaluation, folder: Path) -> tuple[list[Path], list[str]]:
    """Write an evaluation's files into a folder.

    Returns
    -------
    list of Path
        What was written.
    list of str
        What was not, and why.
    """
    import polars as pl

    check_out(folder)
    agreement = evaluation.agreement
    curve = layer_curve(evaluation.cache, level=agreement.level)
    content = evaluation.as_json() | {"layers": {"metric": "spearman", "values": curve}}
    write_json(folder / RESULTS_JSON, content, indent=1)
    table = pl.DataFrame(list(tidy_rows(evaluation)), schema=list(_COLUMNS), infer_schema_length=None)
    with replacing(folder / RESULTS_CSV) as temporary:
        table.write_csv(temporary)
    written = [folder / RESULTS_JSON, folder / RESULTS_CSV]
    try:
        draw_layer_figure(
            folder / LAYERS_PNG,
            curve,
            {one.strategy: one.metrics["spearman"].estimate for one in agreement.strategies},
            ylabel=f"Spearman, {_LEVEL_TEXT[agreement.level]}",
            title=f"Agreement with humans by layer, {agreement.n:,} items",
        )
    except LagerError as error:
        return written, [str(error)]
    return [*written, folder / LAYERS_PNG], []


_LEVEL_TEXT = {"pooled": "pooled", "group": "mean over groups", "system": "between systems"}


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
