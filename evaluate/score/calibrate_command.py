"""The command `lager calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ...data.errors import LagerError
from ...data.files.canonical import canonical_json
from ...data.files.writing import refuse_existing
from ...data.items.raters import parse_raters
from ...data.safe_text import printable
from ...train.aggregator.conformal import Calibration
from ...train.aggregator.cross_conformal import CrossCalibration
from ...train.files.aggregator_file import load_aggregator, save_aggregator
from ..options import Force, Raters


def calibrate(
    cache: Annotated[
        Path, typer.Argument(metavar="CACHE", help="Labelled items; with --aggregator, others than it was fitted on.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", help="Where the calibrated aggregator goes (JSON); must not exist.")],
    aggregator: Annotated[Path | None, typer.Option(help="Aggregator file of lager train, to calibrate.")] = None,
    folds: Annotated[
        int | None, typer.Option(help="Or fit and calibrate on CACHE: N models, each without a fold of whole clusters.")
    ] = None,
    strategy: Annotated[str, typer.Option(help="With --folds: what to fit.")] = "lager-tuned",
    preset: Annotated[str, typer.Option(help="With --folds: converged, paper, or release.")] = "converged",
    seed: Annotated[int, typer.Option(help="With --folds: seed of folds and fits.")] = 42,
    level: Annotated[list[float] | None, typer.Option(help="Coverage; may be given again. 0.9 when left out.")] = None,
    scores: Annotated[Path | None, typer.Option(help="Human scores from a file (id, score), joined by id.")] = None,
    raters: Raters = None,
    leave_out_training: Annotated[
        bool, typer.Option("--leave-out-training", help="Leave out the clusters of the aggregator's training items.")
    ] = False,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Let scores come with an interval that holds the human score of a stated share of items.

    Example: lager calibrate cache/held-out --aggregator agg.json --out calibrated.json --level 0.8 --level 0.9
    """
    if (aggregator is None) == (folds is None):
        raise LagerError("give --aggregator FILE to calibrate it on other items, or --folds N to fit on these as well")
    if folds is not None and (leave_out_training or force):
        raise LagerError("--leave-out-training and --force are about an aggregator's file: leave them out with --folds")
    refuse_existing(out, what="aggregator file")
    columns = parse_raters(raters, scores=scores)
    record = None if aggregator is None else load_aggregator(aggregator)
    from ...data.cache.feature_cache import FeatureCache
    from .calibrate import calibrate as calibrated
    from .cross_calibrate import cross_calibrate

    opened = FeatureCache.open(cache)
    if scores is not None:
        opened = opened.with_scores(scores, raters=columns)
    levels = level or [0.9]
    if record is not None:
        found = calibrated(record, opened, levels=levels, leave_out_training=leave_out_training, force=force)
    else:
        assert folds is not None
        found = cross_calibrate(opened, strategy=strategy, folds=folds, levels=levels, preset=preset, seed=seed)
    save_aggregator(out, found.record)
    for note in found.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    assert found.record.calibration is not None
    result = found.record.calibration
    typer.echo(canonical_json(_as_dict(result, out)) if as_json else _summary(result, out))


def _as_dict(result: Calibration | CrossCalibration, out: Path) -> dict[str, Any]:
    """Return what --json prints."""
    radii = [{"level": level, "half_width": radius} for level, radius in result.radii.items()]
    found = {"out": str(out), "n": result.n, "clusters": result.n_clusters, "levels": radii}
    return found | ({"folds": len(result.errors)} if isinstance(result, CrossCalibration) else {})


def _summary(result: Calibration | CrossCalibration, out: Path) -> str:
    """Return what is printed for people."""
    lines = [f"{out}: calibrated on {result.n} items in {result.n_clusters} clusters"]
    about = ""
    if isinstance(result, CrossCalibration):
        lines[0] += f", by {len(result.errors)} models that are fitted without a fold each"
        about = "about "
    lines += [f"  {100 * level:g} %: score ± {about}{radius:.3f}" for level, radius in result.radii.items()]
    return "\n".join(lines)
