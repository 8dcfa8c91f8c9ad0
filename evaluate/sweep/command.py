"""The command `lager sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...data.console import table_console
from ...data.errors import LagerError
from ...data.files.canonical import canonical_json
from ...data.progress import Progress
from ...data.safe_text import printable

if TYPE_CHECKING:
    from .sweep import Sweep


def sweep(
    train: Annotated[Path, typer.Argument(help="Feature cache to fit on.", show_default=False)],
    test: Annotated[Path, typer.Argument(help="Feature cache to score.", show_default=False)],
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for rows and tables; an unfinished one is taken up.")],
    strategy: Annotated[
        list[str] | None, typer.Option("--strategy", help="Strategy, or all; may be repeated (default: all)")
    ] = None,
    folds: Annotated[int, typer.Option(help="Folds of TRAIN, each left out once; 0 for none.")] = 5,
    sizes: Annotated[str, typer.Option(help="Numbers of labels to draw from TRAIN, with commas.")] = (
        "50,100,200,500,1000"
    ),
    seeds: Annotated[int, typer.Option(help="Draws of each size; 0 for none.")] = 10,
    jobs: Annotated[int, typer.Option(help="Worker processes; -1 for one per core.")] = -1,
    engine: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="ray|dask ADDRESS", help="Compute on this cluster; local starts one on this machine."),
    ] = None,
    level: Annotated[str | None, typer.Option(help="group or pooled (default: group where declared)")] = None,
    preset: Annotated[str, typer.Option(help="converged, paper, or release (the authors' code).")] = "converged",
    seed: Annotated[int, typer.Option(help="All draws, folds and fits follow from it.")] = 42,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ranking as JSON.")] = False,
) -> None:
    """Compare strategies by how many labels they were fitted on, and by folds.

    Example: lager sweep cache/train cache/test --out sweep --sizes 50,100,200 --seeds 5

    On a cluster: lager sweep cache/train cache/test --out sweep --engine dask tcp://head:8786
    """
    from ...data.cache.feature_cache import FeatureCache
    from .engine import joblib_engine
    from .figure import CURVES_PNG, draw_learning_curves
    from .sweep import run_sweep
    from .tables import ranking

    where = engine or (None, None)
    with joblib_engine(*where), Progress(1.0, what="sweeping", unit="share") as bar:
        done = run_sweep(
            FeatureCache.open(train),
            FeatureCache.open(test),
            out,
            strategies=strategy or ["all"],
            folds=folds,
            sizes=_numbers(sizes),
            seeds=seeds,
            jobs=jobs,
            level=level,
            preset=preset,
            seed=seed,
            progress=lambda share: bar.tell("sweeping", share),
        )
    lines = ranking(done.rows)
    if as_json:
        content = {"ranking": [one._asdict() for one in lines], "skipped": done.skipped, "notes": list(done.notes)}
        typer.echo(canonical_json(content))
    else:
        _print(done)
    written = list(done.written)
    try:
        chosen = level or ("pooled" if FeatureCache.open(test).column("group") is None else "group")
        draw_learning_curves(out / CURVES_PNG, done.rows, level=chosen)
        written.append(out / CURVES_PNG)
    except LagerError as error:
        typer.echo(f"note: {error}", err=True)
    typer.echo(f"{done.new} cells computed, {len(done.rows) - done.new} were there", err=True)
    for path in written:
        typer.echo(f"written: {path}", err=True)


def _numbers(text: str) -> list[int]:
    """Return numbers written with commas."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise LagerError(f"--sizes {text!r}: expected whole numbers with commas, such as 50,100,200") from None


def _print(done: Sweep) -> None:
    """Print the ranking and what a reader should know."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from .tables import ranking

    console = table_console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("", "strategy", "Spearman", "sd", "labels", "draws", "Spearman, folds", "MAE", "undefined"):
        table.add_column(title, justify="left" if title == "strategy" else "right", no_wrap=True)
    for one in ranking(done.rows):
        cells = [str(one.rank or "-"), one.strategy, _figure(one.spearman), _figure(one.deviation)]
        cells += ["-" if one.size is None else str(one.size), str(one.draws), _figure(one.folds_spearman)]
        table.add_row(*(Text(printable(cell)) for cell in [*cells, _figure(one.mae), str(one.undefined or "")]))
    console.print("Agreement with humans by labels used (largest number) and out of fold", highlight=False)
    console.print(table)
    for name, reason in done.skipped.items():
        console.print(Text(printable(f"skipped {name}: {reason}")))
    for note in done.notes:
        console.print(Text(printable(f"note: {note}")))


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
