"""The command `lager pairs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...data.console import table_console
from ...data.errors import LagerError
from ...data.files.canonical import canonical_json
from ...data.files.writing import refuse_existing, replacing, write_json
from ...data.safe_text import printable

if TYPE_CHECKING:
    from rich.table import Table

    from .compare_pairs import JudgedPairs
    from .pair_agreement import Figure

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
    strategy: Annotated[
        list[str] | None, typer.Option(help="Without fitting; may be given again. [e-score, lager]")
    ] = None,
    aggregator: Annotated[list[Path] | None, typer.Option(help="Aggregator file; may be given again.")] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Bootstrap resamples for the intervals; 0 for none.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 42,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the figures, and each pair's preference.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Apply an aggregator of other read-outs anyway.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Say which of two responses a judge prefers, how far people agree, and how far the order of showing them matters.

    Example: lager pairs cache/llmbar --aggregator agg.json --out results/llmbar
    """
    from ...data.cache.feature_cache import FeatureCache
    from .compare_pairs import judge_pairs

    if out is not None:
        if out.exists() and not out.is_dir():
            raise LagerError(f"--out {out} is a file: give a folder")
        for name in (RESULTS, PREFERENCES):
            refuse_existing(out / name, what="result")
    found = judge_pairs(
        FeatureCache.open(cache), strategy or ["e-score", "lager"], aggregators=aggregator or [], resamples=resamples,
        seed=seed, force=force,
    )  # fmt: skip
    if as_json:
        typer.echo(canonical_json(found.as_json()))
    else:
        _print(found)
    for note in found.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    if out is not None:
        write_json(out / RESULTS, found.as_json(), indent=1)
        with replacing(out / PREFERENCES) as temporary:
            found.table().write_csv(temporary)
        typer.echo(f"written: {out / RESULTS}, {out / PREFERENCES}", err=True)


def _print(found: JudgedPairs) -> None:
    console = table_console()
    shown = "each response by itself" if found.pairs.layout == "responses" else "both responses, in both orders"
    ties = int((found.pairs.preferred == 0.5).sum())
    console.print(f"{len(found.pairs)} pairs, {shown}; people prefer neither in {ties}", markup=False, highlight=False)
    console.print(_table(found))
    figures = [figure for of_strategy in found.figures.values() for figure in of_strategy.values()]
    means = ["mean over groups"] if found.pairs.group is not None else []
    intervals = ["[low, high]: 95 % bootstrap over clusters"] if any(one.low is not None for one in figures) else []
    if means or intervals:
        console.print("; ".join(means + intervals), markup=False, highlight=False)


def _table(found: JudgedPairs) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names = [name for name in _TITLES if any(name in figures for figures in found.figures.values())]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ["strategy", *(_TITLES[name] for name in names), "pairs"]:
        table.add_column(title, justify="left" if title == "strategy" else "right", no_wrap=True)
    for strategy, figures in found.figures.items():
        cells = [_cell(figures.get(name)) for name in names]
        table.add_row(*map(Text, [printable(strategy), *cells, str(found.n_scored(strategy))]))
    return table


def _cell(figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return "-"
    text = f"{figure.value:.3f}"
    return text if figure.low is None else f"{text}\n[{figure.low:.3f}, {figure.high:.3f}]"
