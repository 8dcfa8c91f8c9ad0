"""The command `lager evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..data.canonical import canonical_json

if TYPE_CHECKING:
    from .cache_evaluation import Progress

_PIPED_WIDTH = 120


def evaluate(
    cache: Annotated[Path, typer.Argument(help="Feature cache with human scores.", show_default=False)],
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
    preset: Annotated[str, typer.Option(help="converged, paper, or release (the authors' code).")] = "converged",
    level: Annotated[
        str | None, typer.Option(help="group, pooled or system (default: group where declared, else pooled)")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples for the intervals; 0 for none.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of resamples, folds and fits.")] = 42,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for results.json, results.csv, layers.png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, not as a table.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Apply an aggregator of other read-outs anyway.")] = False,
) -> None:
    """Compare strategies' scores with the human scores of a feature cache.

    Example: lager evaluate cache/flask --train cache/helpsteer --out results/flask
    """
    from ..data.cache import FeatureCache
    from .cache_evaluation import evaluate_cache
    from .outputs import check_out, write_outputs

    if out is not None:
        check_out(out)
    opened = FeatureCache.open(cache)
    if scores is not None:
        opened = opened.with_scores(scores)
    with _progress_bar() as progress:
        evaluation = evaluate_cache(
            opened,
            strategy or ["all"],
            aggregators=aggregator or [],
            train=None if train is None else FeatureCache.open(train),
            folds=folds,
            preset=preset,
            level=level,
            resamples=resamples,
            seed=seed,
            force=force,
            progress=progress,
        )
    if as_json:
        typer.echo(canonical_json(evaluation.as_json()))
    else:
        from rich.console import Console

        from .table import print_table

        print_table(evaluation, Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH))
    written, missing = ([], []) if out is None else write_outputs(evaluation, out)
    for path in written:
        typer.echo(f"written: {path}", err=True)
    for line in missing:
        typer.echo(f"note: {line}", err=True)


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    """Yield a function that shows on stderr what is being done, where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scoring", total=1.0)
        yield lambda what, done: bar.update(task, description=what, completed=done)
