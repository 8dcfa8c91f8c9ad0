"""The command `lager calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ...data.files.canonical import canonical_json
from ...data.files.writing import refuse_existing
from ...data.items.raters import parse_raters
from ...data.safe_text import printable
from ...train.aggregator.conformal import Calibration
from ...train.files.aggregator_file import load_aggregator, save_aggregator
from ..options import Force, Raters


def calibrate(
    cache: Annotated[Path, typer.Argument(metavar="CACHE", help="Cache of items it was not fitted on.")],
    *,
    aggregator: Annotated[Path, typer.Option(help="Aggregator file of lager train.")],
    out: Annotated[Path, typer.Option("--out", help="Where the calibrated aggregator goes (JSON); must not exist.")],
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
    refuse_existing(out, what="aggregator file")
    columns = parse_raters(raters, scores=scores)
    record = load_aggregator(aggregator)
    from ...data.cache.feature_cache import FeatureCache
    from .calibrate import calibrate as calibrated

    opened = FeatureCache.open(cache)
    if scores is not None:
        opened = opened.with_scores(scores, raters=columns)
    found = calibrated(record, opened, levels=level or [0.9], leave_out_training=leave_out_training, force=force)
    save_aggregator(out, found.record)
    for note in found.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    assert found.record.calibration is not None
    result = found.record.calibration
    typer.echo(canonical_json(_as_dict(result, out)) if as_json else _summary(result, out))


def _as_dict(result: Calibration, out: Path) -> dict[str, Any]:
    """Return what --json prints."""
    radii = [{"level": level, "half_width": radius} for level, radius in result.radii.items()]
    return {"out": str(out), "n": result.n, "clusters": result.n_clusters, "levels": radii}


def _summary(result: Calibration, out: Path) -> str:
    """Return what is printed for people."""
    lines = [f"{out}: calibrated on {result.n} items in {result.n_clusters} clusters"]
    lines += [f"  {100 * level:g} %: score ± {radius:.3f}" for level, radius in result.radii.items()]
    return "\n".join(lines)
