"""The command `lager plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...data.errors import LagerError
from ..agreement.grouping import parse_by
from ..options import AggregatorFiles, FiguresAsJson, Force, Raters, Raw
from ..output import show, tell

if TYPE_CHECKING:
    from .plan import PlannedLabels


def plan(
    cache: Annotated[
        Path | None, typer.Argument(help="Feature cache, some of its items with human scores; none for files alone.")
    ] = None,
    *,
    mean: Annotated[float | None, typer.Option(help="Labels for a system's mean within plus and minus this.")] = None,
    difference: Annotated[float | None, typer.Option(help="Labels to tell apart two systems so far apart.")] = None,
    agreement: Annotated[float | None, typer.Option(help="Labels for a Spearman within plus and minus this.")] = None,
    margin: Annotated[
        float | None, typer.Option(help="Labels for a verdict that the judge is no worse than a rater by more.")
    ] = None,
    expected: Annotated[float, typer.Option(help="By how much the judge is expected to be above a rater.")] = 0.0,
    power: Annotated[float, typer.Option(help="Chance of telling apart, and of the verdict.")] = 0.8,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    sd: Annotated[float, typer.Option(help="Stated, without a pilot: deviation of human scores in a system.")] = 1.0,
    correlation: Annotated[float, typer.Option(help="Stated: the judge's with human scores in a system.")] = 0.0,
    likeness: Annotated[float, typer.Option(help="Stated: intraclass correlation of a cluster's items.")] = 0.0,
    per_cluster: Annotated[float, typer.Option(help="Stated: labels of a system in a cluster.")] = 1.0,
    items: Annotated[int | None, typer.Option(help="Stated: items of a system that the judge scores.")] = None,
    clusters: Annotated[int | None, typer.Option(help="Stated: clusters that they are in.")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Human scores of a pilot from a file (id, score), blank where there is none.")
    ] = None,
    external: Annotated[
        list[str] | None,
        typer.Option("--external", metavar="FILE:COLUMN", help="A judge's scores of all items; may be given again."),
    ] = None,
    raters: Raters = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", help="Judge of CACHE (default: e-score, lager, lager-tuned, ridge)."),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Folds of whole clusters that judges are fitted by (default: 5).")
    ] = None,
    aggregator: AggregatorFiles = None,
    by: Annotated[
        str | None, typer.Option(help="Columns of which each value is a system (default: system, else group).")
    ] = None,
    draw: Annotated[int | None, typer.Option(help="Draw so many items to label, with recorded probabilities.")] = None,
    doubt: Annotated[
        str | None,
        typer.Option(metavar="FILE:COLUMN", help="Doubt that items are drawn by (default: spread over the judges)."),
    ] = None,
    floor: Annotated[float, typer.Option(help="Least chance of an item, over that in a draw at random.")] = 0.5,
    out: Annotated[Path | None, typer.Option("--out", help="CSV for --draw: all items, those to label marked.")] = None,
    scale: Annotated[str | None, typer.Option(help="Score scale, without CACHE only: 1-5, A=4,B=3, ...")] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds, fits and draws.")] = 42,
    force: Force = False,
    raw: Raw = False,
    as_json: FiguresAsJson = False,
) -> None:
    """Say how many items people have to score, with and without a judge's help, and which ones next.

    From a pilot (CACHE, or --scores and --external), or from stated numbers.

    Example: lager plan --mean 0.2 --difference 0.3 --sd 1.1 --correlation 0.6 --items 500
    """
    from .plan_table import plan_table

    goals = {"mean": mean, "difference": difference, "agreement": agreement, "non-inferiority": margin}
    asked = {goal: target for goal, target in goals.items() if target is not None}
    if not asked and draw is None:
        raise LagerError("nothing is asked: give --mean, --difference, --agreement, --margin, or --draw N")
    if (draw is None) != (out is None):
        raise LagerError("--draw N and --out FILE.csv belong together: give both, or none")
    found: list[PlannedLabels] = []
    notes: list[str] = []
    written: list[Path] = []
    if cache is None and scores is None:
        if draw is not None or external:
            raise LagerError("items are drawn, and a pilot is read, from a CACHE, or --scores FILE and --external")
        found = _stated(
            asked, expected=expected, power=power, level=level, sd=sd, correlation=correlation, likeness=likeness,
            per_cluster=per_cluster, n_items=float("inf") if items is None else items, n_clusters=clusters,
        )  # fmt: skip
    else:
        from ...data.items.raters import parse_raters
        from ..decisions.judged_items import read_judged_items
        from .plan_judged import draw_judged, plan_judged

        judged = read_judged_items(
            cache,
            strategies=strategy or [],
            folds=folds,
            aggregators=aggregator or [],
            external=external or [],
            scores=scores,
            raters=parse_raters(raters, scores=scores),
            scale=scale,
            by=() if by is None else parse_by(by),
            unlabelled=True,
            seed=seed,
            force=force,
        )
        notes += judged.notes
        found = plan_judged(judged, asked, by=by is not None, expected=expected, level=level, power=power, seed=seed)
        if draw is not None and out is not None:
            draw_judged(judged, draw, out, by=by is not None, doubt=doubt, floor=floor, seed=seed, raw=raw)
            written.append(out)
    if found:
        show(lambda: {"plans": [one.as_json() for one in found]}, lambda: plan_table(found), as_json=as_json)
    tell(written=written, notes=notes)


def _stated(asked: dict[str, float], **numbers: Any) -> list[PlannedLabels]:
    """Return the plans from stated numbers."""
    from .plan import plan_labels

    return [plan_labels(goal, target, **numbers) for goal, target in asked.items()]
