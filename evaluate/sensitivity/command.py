"""The command `lager sensitivity`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...data.errors import LagerError
from ...data.files.writing import write_json
from ..options import DEFAULT_STRATEGIES, AggregatorFiles, FiguresAsJson, Force, Resamples, UnfittedStrategies
from ..output import check_out, show, tell

if TYPE_CHECKING:
    from ...data.cache.feature_cache import FeatureCache
    from ..tables.table import Table
    from .compare_prompts import Sensitivity

RESULTS, CACHES = "sensitivity.json", "caches"
_TITLES = (
    "Spearman\nwith people", "Pearson\nwith people", "Spearman with\nother prompts", "Kendall with\nother prompts",
    "mean, part\nof the scale",
)  # fmt: skip


def sensitivity(
    caches: Annotated[
        list[str] | None, typer.Argument(metavar="CACHE ...", help="Caches of the same items with other prompts.")
    ] = None,
    *,
    model: Annotated[str | None, typer.Option(help="Instead of caches: folder or hub id of a model,")] = None,
    items: Annotated[str | None, typer.Option(help="the items to read, as for lager extract,")] = None,
    template: Annotated[list[str] | None, typer.Option(help="and templates; give the option again for each,")] = None,
    scale: Annotated[list[str] | None, typer.Option(help="or scales; every template with every scale.")] = None,
    human_range: Annotated[str | None, typer.Option(help="LO-HI of the human scores, needed for other scales.")] = None,
    group: Annotated[str | None, typer.Option(help="Columns that name an item's group.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Column of the source text that items share.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Read a random draw of so many items.")] = None,
    dtype: Annotated[str | None, typer.Option(help="Of the weights, as for lager extract.")] = None,
    device: Annotated[str | None, typer.Option(help="As for lager extract.")] = None,
    strategy: UnfittedStrategies = None,
    aggregator: AggregatorFiles = None,
    resamples: Resamples = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples and of --limit.")] = 42,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the figures, and for the caches read.")] = None,
    force: Force = False,
    as_json: FiguresAsJson = False,
) -> None:
    """Say how far scores hang on the prompt: the same items under several templates or scales.

    Example: lager sensitivity cache/direct cache/mine --strategy lager

    In one: lager sensitivity --model my/judge --items items.jsonl --template direct --template my.jinja --out prompts
    """
    from .compare_prompts import prompt_sensitivity

    if out is not None:
        check_out(out, [RESULTS])
    reading: dict[str, Any] = {
        "human_range": human_range, "group": group, "cluster": cluster, "limit": limit, "dtype": dtype, "device": device
    }  # fmt: skip
    if caches:
        given = {"model": model, "items": items, "template": template, "scale": scale, **reading}
        if named := [f"--{name.replace('_', '-')}" for name, value in given.items() if value]:
            raise LagerError(f"{', '.join(named)}: the caches are read already; leave it out, or leave the caches out")
        opened = _open(caches)
    elif model is None or items is None or out is None:
        raise LagerError("give two or more CACHES; or --model, --items, several --template or --scale, and --out")
    else:
        opened = _read(model, items, template or [], scale or [], out / CACHES, seed=seed, **reading)
    found = prompt_sensitivity(
        opened, strategy or DEFAULT_STRATEGIES, aggregators=aggregator or [], resamples=resamples, seed=seed,
        force=force,
    )  # fmt: skip
    show(found.as_json, lambda: _table(found), as_json=as_json)
    written = []
    if out is not None:
        written = [out / RESULTS]
        write_json(written[0], found.as_json(), indent=1)
    tell(notes=found.notes, written=written)


def _open(caches: list[str]) -> dict[str, FeatureCache]:
    from ...data.cache.feature_cache import FeatureCache

    if len(set(caches)) < len(caches):
        raise LagerError("the same cache is named twice: give each once")
    short = {name: Path(name).name for name in caches}
    distinct = len(set(short.values())) == len(caches)
    return {short[name] if distinct else name: FeatureCache.open(name) for name in caches}


def _read(
    model: str, items: str, templates: list[str], scales: list[str], folder: Path, *, human_range: str | None,
    group: str | None, **options: Any,
) -> dict[str, FeatureCache]:  # fmt: skip
    from ...extract.command import parse_names, parse_range
    from .read_prompts import read_prompts

    return read_prompts(
        model, items, templates=templates, scales=scales, folder=folder, human_range=parse_range(human_range),
        group=parse_names(group or ""), **options,
    )  # fmt: skip


def _table(found: Sensitivity) -> Table:
    """Return a row for each strategy under each prompt."""
    from ..tables.table import NONE, Cell, Column, Table, interval, name, number

    rows = []
    for one in found.figures:
        people = [
            Cell(NONE) if known is None else interval(known.estimate, known.low, known.high)
            for known in map(one.people.get, ("spearman", "pearson"))
        ]
        rows.append(
            (name(one.strategy), name(one.prompt), *people, *map(number, one.others.values()), number(one.mean))
        )
    level = "means over groups" if found.level == "group" else "pooled"
    return Table(
        columns=(Column("strategy", "name"), Column("prompt", "name"), *map(Column, _TITLES)),
        rows=tuple(rows),
        headline=(f"{found.n_items} items valid under every prompt; {level}",),
        notes=tuple(
            f"{strategy}: a score moves by {100 * spread:.1f} % of the scale (standard deviation over prompts)"
            for strategy, spread in found.spread.items()
        ),
    )
