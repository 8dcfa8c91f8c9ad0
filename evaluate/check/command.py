"""The command `lager check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..options import AggregatorFiles, FiguresAsJson, Force
from ..output import show, tell

FAILED, UNKNOWN = 3, 4


def check(
    baseline: Annotated[
        str, typer.Argument(metavar="BASELINE", help="Cache, or file of a judge's scores (id, score), or FILE:COLUMN.")
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same items read anew: a cache or a file likewise.")],
    *,
    margin: Annotated[float, typer.Option(help="Of the mean change, in units of the scale.")],
    item_margin: Annotated[
        float | None, typer.Option(help="Of the mean size of single items' changes. (default: not checked)")
    ] = None,
    agreement_margin: Annotated[
        float | None, typer.Option(help="Of the change of agreement with people. (default: not checked)")
    ] = None,
    metric: Annotated[str, typer.Option(help="Metric of the agreement.")] = "spearman",
    missing: Annotated[
        float, typer.Option(help="Share of BASELINE's items that may lack a new score; with more, no PASS.")
    ] = 0.05,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", help="Without fitting; may be given again. (default: e-score, lager)"),
    ] = None,
    aggregator: AggregatorFiles = None,
    scores: Annotated[Path | None, typer.Option(help="Human scores from a file (id, score), joined by id.")] = None,
    permutations: Annotated[int, typer.Option(min=1, help="Of the test of the layers.")] = 999,
    seed: Annotated[int, typer.Option(help="Seed of the permutations.")] = 42,
    force: Force = False,
    as_json: FiguresAsJson = False,
) -> None:
    """Say whether a judge still scores as it did, within margins, and at which layers it has shifted.

    Ends with 0 for PASS, 3 for FAIL, and 4 where it cannot be told.

    Example: lager check cache/bf16 cache/int8 --margin 0.1 --item-margin 0.2 --agreement-margin 0.05
    """
    from .joined import Joined
    from .reading import read_reading
    from .table import check_table
    from .two_readings import Margins, check_readings

    names, files = strategy or [], aggregator or []
    then = read_reading(baseline, strategies=names, aggregators=files, force=force)
    # Read-outs of another dtype or revision are what is to be checked: an aggregator is applied to them all the same.
    now = read_reading(new, strategies=names, aggregators=files, force=True)
    joined = Joined.of(then, now)
    if scores is not None:
        joined = joined.with_human_scores(scores)
    margins = Margins(margin, item_margin, agreement_margin, metric, missing)
    checked = check_readings(joined, margins, permutations=permutations, seed=seed)
    show(checked.as_json, lambda: check_table(checked), as_json=as_json)
    tell(notes=checked.notes)
    if checked.verdict != "PASS":
        raise typer.Exit(FAILED if checked.verdict == "FAIL" else UNKNOWN)
