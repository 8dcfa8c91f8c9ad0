"""The command `lager evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.errors import LagerError
from ..data.files.out_folder import filling
from ..data.progress import Progress
from ..data.safe_text import printable
from .options import Force, Raters, Raw
from .output import show, tell

NOT_MET = 3

if TYPE_CHECKING:
    from .evaluation.evaluation import Evaluation


def evaluate(
    cache: Annotated[
        Path | None, typer.Argument(help="Feature cache with human scores; none to compare files of scores alone.")
    ] = None,
    *,
    aggregator: Annotated[
        list[Path] | None, typer.Option("--aggregator", help="Aggregator file of lager train; may be repeated.")
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", help="Strategy to evaluate, or all; may be repeated (default: all)"),
    ] = None,
    train: Annotated[Path | None, typer.Option(help="Fit what needs fitting on this cache.")] = None,
    folds: Annotated[
        int | None, typer.Option(help="Or fit it on the cache itself, N times, and score each fold by the others.")
    ] = None,
    scores: Annotated[Path | None, typer.Option(help="Human scores from a file (id, score), joined by id.")] = None,
    raters: Raters = None,
    external: Annotated[
        list[str] | None,
        typer.Option(
            "--external", metavar="FILE:COLUMN", help="Another judge's scores, joined by id; may be repeated."
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="converged, paper, or release (the authors' code).")] = "converged",
    level: Annotated[
        str | None, typer.Option(help="group, pooled or system (default: group where declared, else pooled)")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Group by these columns of the items, with commas between, not by the group.")
    ] = None,
    partial: Annotated[
        str | None,
        typer.Option(metavar="length", help="Show correlations with the prompt's length partialled out, too."),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", "--metrics", help="Metric to show, or all; may be repeated. Files hold all of them."),
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="For f1, precision, recall, auroc: the share from which a score is a yes.")
    ] = 0.75,
    threshold_range: Annotated[
        str | None,
        typer.Option(
            help="Of what: each judge's range of scores on train or test, or the scale. (default: train with --train)"
        ),
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="Strategy or judge that the others are tested against.")] = None,
    interval: Annotated[str, typer.Option(help="jackknife, percentile or bca")] = "jackknife",
    systems: Annotated[
        str, typer.Option(help="With --level system, intervals of these systems' true means, or of systems alike.")
    ] = "these",
    resamples: Annotated[
        int, typer.Option(help="Resamples, or parts left out at most, for the intervals; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of resamples, folds and fits.")] = 42,
    scale: Annotated[str | None, typer.Option(help="Score scale, without CACHE only: 1-5, A=4,B=3, ...")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results, as JSON, CSV, Markdown, LaTeX and a report.")
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(
            "--require", metavar="STRATEGY:METRIC>=NUMBER", help="End with 3 unless it is so; may be repeated."
        ),
    ] = None,
    sweep: Annotated[
        Path | None, typer.Option("--sweep", help="Folder of lager sweep, for its learning curves in the report.")
    ] = None,
    raw: Raw = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, not as a table.")] = False,
    force: Force = False,
) -> None:
    """Compare strategies' scores with the human scores of a feature cache, or files of scores with each other.

    Example: lager evaluate cache/flask --train cache/helpsteer --baseline e-score --out results/flask

    As a gate: lager evaluate cache/flask --aggregator agg.json --require "lager-tuned:spearman.low>=0.4"
    """
    from ..data.items.raters import parse_raters
    from .agreement.grouping import parse_by
    from .evaluation.requirements import check_requirements, parse_requirement
    from .metrics.metrics import SHOWN, check_metrics
    from .report.learning_figure import read_learning_points, sweep_notes
    from .report.outputs import NAMES, write_outputs
    from .report.result_table import result_table

    if out is None and sweep is not None:
        raise LagerError("--sweep is for the report: give --out DIR too, or leave it out")
    required = [parse_requirement(text) for text in require or []]
    learning = () if sweep is None else read_learning_points(sweep)
    common: dict[str, Any] = {
        "raters": parse_raters(raters, scores=scores),
        "level": level, "by": () if by is None else parse_by(by), "shown": check_metrics(metric or SHOWN),
        "threshold": threshold, "baseline": baseline, "interval": interval, "systems": systems,
        "resamples": resamples, "seed": seed,
    }  # fmt: skip
    with filling(out, NAMES):
        with Progress(1.0, what="scoring", unit="share") as bar:
            if cache is None:
                _refuse_without_cache(
                    aggregator=aggregator, strategy=strategy, train=train, folds=folds, partial=partial,
                    threshold_range=threshold_range,
                )  # fmt: skip
                evaluation = _evaluate_files(scores, external or [], scale, progress=bar.tell, **common)
            else:
                if scale is not None:
                    raise LagerError("--scale: a cache has its own scale; leave the option out")
                evaluation = _evaluate_cache(
                    cache,
                    scores,
                    strategies=strategy or ["all"],
                    aggregators=aggregator or [],
                    train=train,
                    folds=folds,
                    external=external or [],
                    preset=preset,
                    threshold_range=threshold_range,
                    partial=partial,
                    force=force,
                    progress=bar.tell,
                    **common,
                )
        if sweep is not None:
            evaluation = replace(evaluation, notes=(*evaluation.notes, *sweep_notes(sweep, evaluation)))
        evaluation = replace(
            evaluation, requirements=check_requirements(evaluation.agreement, evaluation.skipped, required)
        )
        show(evaluation.as_json, lambda: result_table(evaluation), as_json=as_json)
        written, missing = ([], []) if out is None else write_outputs(evaluation, out, learning=learning, raw=raw)
        tell(written=written, notes=missing)
        for one in evaluation.requirements:
            typer.echo(printable(one.line()), err=True)
    if not all(one.met for one in evaluation.requirements):
        raise typer.Exit(NOT_MET)


def _evaluate_cache(
    cache: Path, scores: Path | None, *, raters: Sequence[str], train: Path | None, **options: Any
) -> Evaluation:
    """Return the evaluation of a cache, with human scores from a file where one is given."""
    from ..data.cache.feature_cache import FeatureCache
    from .evaluation.cache_evaluation import evaluate_cache

    opened = FeatureCache.open(cache)
    if scores is not None:
        opened = opened.with_scores(scores, raters=raters)
    return evaluate_cache(opened, train=None if train is None else FeatureCache.open(train), **options)


def _evaluate_files(scores: Path | None, external: list[str], scale: str | None, **options: Any) -> Evaluation:
    """Return the evaluation of score files alone."""
    from ..data.scale import Scale
    from .evaluation.file_evaluation import evaluate_score_files

    if scores is None:
        raise LagerError("there is nothing to evaluate: give a CACHE, or --scores FILE and --external FILE:COLUMN")
    return evaluate_score_files(scores, external, scale=None if scale is None else Scale.parse(scale), **options)


def _refuse_without_cache(**options: object) -> None:
    """Raise `LagerError` for options that score the items of a cache when there is none."""
    if given := [f"--{name.replace('_', '-')}" for name, value in options.items() if value]:
        raise LagerError(f"{', '.join(given)} needs a CACHE to score: give one, or leave it out")
