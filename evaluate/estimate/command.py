"""The command `lager estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...data.files.out_folder import filling
from ...data.files.writing import write_json
from ..agreement.grouping import parse_by
from ..options import AggregatorFiles, FiguresAsJson, Force, Raters, Raw
from ..output import show, tell, write_csv, write_text

if TYPE_CHECKING:
    from .mean_estimates import MeanEstimates

RESULTS, MEANS, DIFFERENCES, TABLE = "estimates.json", "means.csv", "differences.csv", "means.md"
NAMES = (RESULTS, MEANS, DIFFERENCES, TABLE)


def estimate(
    cache: Annotated[
        Path | None, typer.Argument(help="Feature cache, some of its items with human scores; none for files alone.")
    ] = None,
    *,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy", help="Judge of CACHE; several are mixed (default: e-score, lager, lager-tuned, ridge)."
        ),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Every layer of CACHE as a judge.")] = False,
    folds: Annotated[
        int | None, typer.Option(help="Folds of whole clusters that judges are fitted and mixed by (default: 5).")
    ] = None,
    aggregator: AggregatorFiles = None,
    external: Annotated[
        list[str] | None,
        typer.Option("--external", metavar="FILE:COLUMN", help="Another judge's scores; may be given again."),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(help="Human scores from a file (id, score; probability), blank where an item has none."),
    ] = None,
    raters: Raters = None,
    by: Annotated[
        str | None,
        typer.Option(help="Estimate the mean of each value of these columns (default: system, else group, else all)."),
    ] = None,
    at_least: Annotated[
        float | None, typer.Option("--at-least", help="Estimate the share of items with this score or a higher one.")
    ] = None,
    stratum: Annotated[
        str | None,
        typer.Option(help="Column of the parts that labelled items were drawn from, a random share of each."),
    ] = None,
    weight: Annotated[
        float | None, typer.Option(help="Of the judge (default: that of the narrowest intervals).")
    ] = None,
    horvitz_thompson: Annotated[
        bool, typer.Option("--horvitz-thompson", help="Divide weighted sums by the number of items.")
    ] = False,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    scale: Annotated[str | None, typer.Option(help="Score scale, without CACHE only: 1-5, A=4,B=3, ...")] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds, fits and draws.")] = 42,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for means and differences.")] = None,
    force: Force = False,
    raw: Raw = False,
    as_json: FiguresAsJson = False,
) -> None:
    """Estimate the mean human score of each system from few human labels and a judge's scores of all items.

    Labelled items must be drawn at random, or with known probabilities (a column of that name).

    Example: lager estimate --scores labels.csv --external gpt.csv:rating --by system
    """
    from ...data.items.raters import parse_raters
    from ..decisions.judged_items import read_judged_items
    from .estimate_judged import estimate_judged
    from .mean_table import mean_table

    with filling(out, NAMES):
        judged = read_judged_items(
            cache,
            strategies=_strategies(cache, strategy or [], layers=layers),
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
        found = estimate_judged(
            judged,
            by=by is not None,
            stratum=stratum,
            at_least=at_least,
            weight=weight,
            weighting="horvitz-thompson" if horvitz_thompson else "hajek",
            level=level,
            seed=seed,
        )
        table = mean_table(found)
        show(found.as_json, lambda: table, as_json=as_json)
        written = []
        if out is not None:
            from ..tables.markdown import markdown

            written = [out / name for name in NAMES]
            content = found.as_json()
            write_json(out / RESULTS, content, indent=1)
            write_csv(out / MEANS, mean_rows(found), list(mean_rows(found)[0]), raw=raw)
            write_csv(out / DIFFERENCES, content["differences"], _DIFFERENCE, raw=raw)
            write_text(out / TABLE, markdown(table))
        tell(written=written, notes=found.notes)


_DIFFERENCE = ("one", "other", "difference", "low", "high", "p", "p_holm")


def mean_rows(found: MeanEstimates) -> list[dict[str, Any]]:
    """Return a flat row for each mean, with a column for each judge's own."""
    rows = []
    for one in found.as_json()["means"]:
        judges = one.pop("judge_means")
        rows.append(one | {f"{name} alone": value for name, value in judges.items()})
    return rows


def _strategies(cache: Path | None, named: list[str], *, layers: bool) -> list[str]:
    """Return the strategies asked for, with every layer of the cache as one."""
    if not layers:
        return named
    from ...data.errors import LagerError

    if cache is None:
        raise LagerError("--layers needs a CACHE: give one, or leave it out")
    from ...data.cache.feature_cache import FeatureCache

    return [*named, *(f"layer:{entry}" for entry in range(FeatureCache.open(cache).n_layers + 1))]
