"""The command `lager sensitivity`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...data.errors import LagerError
from ...data.files.out_folder import check_out
from ...data.files.writing import write_json
from ...extract.options.command_line import with_options
from ...extract.options.groups import ExtractOptions, ItemOptions, LoadOptions, PromptOptions
from ...extract.options.option import given_flags
from ..options import DEFAULT_STRATEGIES, AggregatorFiles, FiguresAsJson, Force, Resamples, UnfittedStrategies
from ..output import show, tell

if TYPE_CHECKING:
    from ...data.cache.feature_cache import FeatureCache
    from ..tables.table import Table
    from .compare_prompts import Sensitivity

RESULTS, CACHES = "sensitivity.json", "caches"
_TITLES = (
    "Spearman\nwith people", "Pearson\nwith people", "Spearman with\nother prompts", "Kendall with\nother prompts",
    "mean, part\nof the scale",
)  # fmt: skip


@with_options(without=("template", "scale", "seed"))
def sensitivity(
    caches: Annotated[
        list[str] | None, typer.Argument(metavar="CACHE ...", help="Caches of the same items with other prompts.")
    ] = None,
    *,
    model: Annotated[str | None, typer.Option(help="Instead of caches: folder or hub id of a model,")] = None,
    items: Annotated[str | None, typer.Option(help="the items to read, as for lager extract,")] = None,
    template: Annotated[list[str] | None, typer.Option(help="and templates; give the option again for each,")] = None,
    scale: Annotated[list[str] | None, typer.Option(help="or scales; every template with every scale.")] = None,
    prompts: PromptOptions,
    load: LoadOptions,
    chosen: ItemOptions,
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
    options = ExtractOptions(prompts, load, items=replace(chosen, seed=seed))
    if caches:
        given = {"--model": model, "--items": items, "--template": template, "--scale": scale}
        if named := [*(flag for flag, value in given.items() if value), *given_flags(prompts, load, chosen)]:
            raise LagerError(f"{', '.join(named)}: the caches are read already; leave it out, or leave the caches out")
        opened = _open(caches)
    elif model is None or items is None or out is None:
        raise LagerError("give two or more CACHES; or --model, --items, several --template or --scale, and --out")
    else:
        from .read_prompts import read_prompts

        opened = read_prompts(
            model, items, templates=template or [], scales=scale or [], folder=out / CACHES, options=options
        )
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
    """Return the caches by the names of their folders, by their paths where two folders have one name."""
    from ...data.cache.feature_cache import FeatureCache

    if len(set(caches)) < len(caches):
        raise LagerError("the same cache is named twice: give each once")
    short = {name: Path(name).name for name in caches}
    distinct = len(set(short.values())) == len(caches)
    return {short[name] if distinct else name: FeatureCache.open(name) for name in caches}


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
