"""The command `lager pairs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...data.files.out_folder import filling
from ...data.files.writing import write_json
from ..options import DEFAULT_STRATEGIES, AggregatorFiles, FiguresAsJson, Force, Raw, Resamples, UnfittedStrategies
from ..output import show, tell, write_csv_table

if TYPE_CHECKING:
    from ..tables.table import Table
    from .judged_pairs import JudgedPairs

RESULTS, PREFERENCES = "pairs.json", "preferences.csv"
_TITLES = {
    "accuracy": "accuracy",
    "ties": "ties",
    "brier": "Brier",
    "consistency": "consistent",
    "accuracy_both": "both right",
    "position_bias": "bias to first",
}


def pairs(
    cache: Annotated[Path, typer.Argument(metavar="CACHE", help="Cache of pairs, such as benchmark:llmbar's.")],
    *,
    strategy: UnfittedStrategies = None,
    aggregator: AggregatorFiles = None,
    resamples: Resamples = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 42,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the figures, and each pair's preference.")
    ] = None,
    force: Force = False,
    raw: Raw = False,
    as_json: FiguresAsJson = False,
) -> None:
    """Say which of two responses a judge prefers, how far people agree, and how far the order of showing them matters.

    Example: lager pairs cache/llmbar --aggregator agg.json --out results/llmbar
    """
    from ...data.cache.feature_cache import FeatureCache
    from .judged_pairs import judge_pairs

    with filling(out, (RESULTS, PREFERENCES)):
        found = judge_pairs(
            FeatureCache.open(cache), strategy or DEFAULT_STRATEGIES, aggregators=aggregator or [], resamples=resamples,
            seed=seed, force=force,
        )  # fmt: skip
        show(found.as_json, lambda: _table(found), as_json=as_json)
        written = []
        if out is not None:
            written = [out / RESULTS, out / PREFERENCES]
            write_json(written[0], found.as_json(), indent=1)
            write_csv_table(written[1], found.table(), raw=raw)
        tell(notes=found.notes, written=written)


def _table(found: JudgedPairs) -> Table:
    """Return a row for each strategy."""
    from ..tables.table import NONE, Cell, Column, Table, count, interval, name

    shown = "each response by itself" if found.pairs.layout == "responses" else "both responses, in both orders"
    ties = int((found.pairs.preferred == 0.5).sum())
    metrics = [one for one in _TITLES if any(one in figures for figures in found.figures.values())]
    rows = []
    for strategy, figures in found.figures.items():
        cells = [
            Cell(NONE) if one is None else interval(one.value, one.low, one.high) for one in map(figures.get, metrics)
        ]
        rows.append((name(strategy), *cells, count(found.n_scored(strategy))))
    known = [figure.low is not None for of_strategy in found.figures.values() for figure in of_strategy.values()]
    said = ["mean over groups"] if found.pairs.group is not None else []
    said += ["[low, high]: 95 % bootstrap over clusters"] if any(known) else []
    return Table(
        columns=(Column("strategy", "name"), *(Column(_TITLES[one]) for one in metrics), Column("pairs", "count")),
        rows=tuple(rows),
        headline=(f"{len(found.pairs)} pairs, {shown}; people prefer neither in {ties}",),
        notes=("; ".join(said),) if said else (),
    )
