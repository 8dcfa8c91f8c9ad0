"""The command `lager score`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...data.errors import LagerError
from ...data.files.canonical import canonical_json
from ...data.progress import Progress, to_stderr
from ...data.safe_text import printable
from ...extract.options.command_line import with_options
from ...extract.options.groups import PromptOptions, ReadOptions
from ...extract.options.option import given_flags, options_of
from ...extract.options.texts import parse_names
from ..options import Force, Raw

if TYPE_CHECKING:
    from .score_cache import Scored


@with_options(defaults=dict.fromkeys((*options_of(PromptOptions), "dtype"), "as in training"))
def score(
    cache: Annotated[Path | None, typer.Argument(help="Feature cache to score.", show_default=False)] = None,
    *,
    aggregator: Annotated[Path, typer.Option(help="Aggregator file of lager train.")],
    out: Annotated[Path, typer.Option("--out", help="Where scores go, by its ending .jsonl, .csv or .parquet.")],
    model: Annotated[str | None, typer.Option(help="Instead of CACHE: folder or hub id of a model,")] = None,
    items: Annotated[str | None, typer.Option(help="and the items to score, as for lager extract.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Columns that name an item's group, for what learnt by group.")
    ] = None,
    keep_columns: Annotated[
        str | None, typer.Option(help="Columns of the items that the file gets too, with commas.")
    ] = None,
    options: ReadOptions,
    force: Force = False,
    raw: Raw = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Score new items with a fitted aggregator, from a cache or straight from a model.

    The same command goes on where an earlier one stopped.

    Example: lager score --model my/judge --items new.jsonl --aggregator agg.json --out scores.csv
    """
    from .journal import check_output

    check_output(out)
    kept = parse_names(keep_columns or "")
    if cache is not None:
        given = {"--model": model, "--items": items, "--group": group}
        if named := [*(flag for flag, value in given.items() if value), *given_flags(options)]:
            names = ", ".join(named)
            raise LagerError(f"{names}: CACHE holds what the model said already; leave it out, or leave CACHE out")
        scored = _score_cache(cache, aggregator, out, force=force, raw=raw, keep_columns=kept)
    elif model is None or items is None:
        raise LagerError("there is nothing to score: give a CACHE, or both --model MODEL and --items ITEMS")
    else:
        from .score_items import score_items

        scored = score_items(
            model, items, aggregator, out=out, options=options, group=tuple(parse_names(group or "")), force=force,
            raw=raw, keep_columns=kept, say=to_stderr, shown=True,
        )  # fmt: skip
    for note in scored.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    typer.echo(canonical_json(_as_dict(scored)) if as_json else _summary(scored))


def _score_cache(cache: Path, aggregator: Path, out: Path, *, force: bool, **options: Any) -> Scored:
    """Score what a cache holds, with progress."""
    from ...data.cache.feature_cache import FeatureCache
    from .score_cache import score_cache

    opened = FeatureCache.open(cache)
    with Progress(opened.n_items) as progress:
        return score_cache(opened, aggregator, out=out, force=force, advance=progress.advance, **options)


def _as_dict(scored: Scored) -> dict[str, Any]:
    """Return what --json prints."""
    return {"out": str(scored.out), "items": scored.n_items, "valid": scored.n_valid,
            "in_sample": scored.n_in_sample, "notes": scored.notes}  # fmt: skip


def _summary(scored: Scored) -> str:
    """Return what is printed for people."""
    without = scored.n_items - scored.n_valid
    rest = f", {without} without a score (see the column reason)" if without else ""
    return f"{scored.out}: {scored.n_items} items{rest}"
