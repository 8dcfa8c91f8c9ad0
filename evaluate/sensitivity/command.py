"""The command `lager sensitivity`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...data.console import table_console
from ...data.errors import LagerError
from ...data.files.canonical import canonical_json
from ...data.files.writing import refuse_existing, write_json
from ...data.safe_text import printable

if TYPE_CHECKING:
    from rich.table import Table

    from ...data.cache.feature_cache import FeatureCache
    from .compare_prompts import Sensitivity

RESULTS, CACHES = "sensitivity.json", "caches"


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
    strategy: Annotated[
        list[str] | None, typer.Option(help="Without fitting; may be given again. [e-score, lager]")
    ] = None,
    aggregator: Annotated[list[Path] | None, typer.Option(help="Aggregator file; may be given again.")] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Bootstrap resamples for the intervals; 0 for none.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples and of --limit.")] = 42,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the figures, and for the caches read.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Apply an aggregator of other read-outs anyway.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Say how far scores hang on the prompt: the same items under several templates or scales.

    Example: lager sensitivity cache/direct cache/mine --strategy lager

    In one: lager sensitivity --model my/judge --items items.jsonl --template direct --template my.jinja --out prompts
    """
    from .compare_prompts import prompt_sensitivity

    if out is not None:
        refuse_existing(out / RESULTS, what="result")
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
        opened, strategy or ["e-score", "lager"], aggregators=aggregator or [], resamples=resamples, seed=seed,
        force=force,
    )  # fmt: skip
    if as_json:
        typer.echo(canonical_json(found.as_json()))
    else:
        _print(found)
    for note in found.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    if out is not None:
        write_json(out / RESULTS, found.as_json(), indent=1)
        typer.echo(f"written: {out / RESULTS}", err=True)


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


def _print(found: Sensitivity) -> None:
    console = table_console()
    level = "means over groups" if found.level == "group" else "pooled"
    console.print(f"{found.n_items} items valid under every prompt; {level}", markup=False, highlight=False)
    console.print(_table(found))
    for strategy, spread in found.spread.items():
        line = f"{strategy}: a score moves by {100 * spread:.1f} % of the scale (standard deviation over prompts)"
        console.print(printable(line), markup=False, highlight=False)


def _table(found: Sensitivity) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("strategy", "prompt"):
        table.add_column(title)
    for title in ("Spearman\nwith people", "Pearson\nwith people", "Spearman with\nother prompts",
                  "Kendall with\nother prompts", "mean, part\nof the scale"):  # fmt: skip
        table.add_column(title, justify="right", no_wrap=True)
    for one in found.figures:
        people = []
        for metric in ("spearman", "pearson"):
            estimate = one.people.get(metric)
            text = "-" if estimate is None or estimate.estimate is None else f"{estimate.estimate:.3f}"
            if estimate is not None and estimate.low is not None:
                text += f"\n[{estimate.low:.3f}, {estimate.high:.3f}]"
            people.append(text)
        others = ["-" if value is None else f"{value:.3f}" for value in one.others.values()]
        table.add_row(*map(Text, [printable(one.strategy), printable(one.prompt), *people, *others, f"{one.mean:.3f}"]))
    return table
