"""The command `lager sweep`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...data.errors import LagerError
from ...data.progress import Progress
from ..output import show, tell

if TYPE_CHECKING:
    from ..tables.table import Cell, Table
    from .ranking import Ranked
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
    draw: Annotated[
        str, typer.Option(help="Labels of one item of each cluster in turn (items), or of whole clusters (clusters).")
    ] = "items",
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

    where = engine or (None, None)
    with _ended_by_signals(), joblib_engine(*where), Progress(1.0, what="sweeping", unit="share") as bar:
        done = run_sweep(
            FeatureCache.open(train),
            FeatureCache.open(test),
            out,
            strategies=strategy or ["all"],
            folds=folds,
            sizes=_numbers(sizes),
            seeds=seeds,
            draw=draw,
            jobs=jobs,
            level=level,
            preset=preset,
            seed=seed,
            progress=lambda share: bar.tell("sweeping", share),
        )
    show(lambda: _content(done), lambda: _table(done), as_json=as_json)
    written, missing = list(done.written), []
    try:
        chosen = level or ("pooled" if FeatureCache.open(test).column("group") is None else "group")
        draw_learning_curves(
            out / CURVES_PNG, done.rows, level=chosen, draw="clusters" if draw == "clusters" else "items"
        )
        written.append(out / CURVES_PNG)
    except LagerError as error:
        missing.append(str(error))
    typer.echo(f"{done.new} cells computed, {len(done.rows) - done.new} were there", err=True)
    tell(written=written, notes=missing)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as an exit does, with all that it started; one that is ignored stays so."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, _leave)
        yield
    finally:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _numbers(text: str) -> list[int]:
    """Return numbers written with commas."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise LagerError(f"--sizes {text!r}: expected whole numbers with commas, such as 50,100,200") from None


def _content(done: Sweep) -> dict[str, Any]:
    """Return the ranking as JSON."""
    from .ranking import ranking

    ranked = [one._asdict() for one in ranking(done.rows)]
    return {"ranking": ranked, "skipped": done.skipped, "notes": list(done.notes)}


def _table(done: Sweep) -> Table:
    """Return the ranking and what a reader should know."""
    from ..tables.table import Cell, Column, Table, count, name, number
    from .ranking import ranking

    rows, lines = [], ranking(done.rows)
    for one in lines:
        figures = [number(one.spearman), number(one.deviation), _plain(one.labels), _plain(one.clusters), _draws(one)]
        figures += [number(one.folds_spearman), number(one.mae), count(one.undefined) if one.undefined else Cell("")]
        rows.append((count(one.rank), name(one.strategy), *figures))
    titles = ("Spearman", "sd", "labels", "clusters", "draws", "Spearman, folds", "MAE", "undefined")
    return Table(
        columns=(Column("", "count"), Column("strategy", "name"), *map(Column, titles)),
        rows=tuple(rows),
        headline=(
            "Agreement with humans by labels used (largest number) and out of fold",
            "without a rank: undefined in a draw, a fold or a group, so a mean over others than the rest",
        )[: 1 + any(one.rank is None for one in lines)],
        notes=(
            *(f"skipped {one}: {why}" for one, why in done.skipped.items()),
            *(f"note: {one}" for one in done.notes),
        ),
    )


def _plain(mean: float | None) -> Cell:
    """Return the cell of a mean count, with a digit where it is not whole."""
    from ..tables.table import NONE, Cell

    return Cell(NONE if mean is None else f"{mean:.0f}" if mean == round(mean) else f"{mean:.1f}", mean)


def _draws(one: Ranked) -> Cell:
    """Return the cell of the draws that a figure is the mean of."""
    from ..tables.table import Cell

    return Cell(f"{one.draws}" if one.draws == one.of_draws else f"{one.draws} of {one.of_draws}", one.draws)
