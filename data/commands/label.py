"""`lager cache label` and `lager cache describe`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import LagerError
from ..safe_text import printable


def label(
    cache: Annotated[Path, typer.Argument(metavar="CACHE", help="The cache, complete.", show_default=False)],
    scores: Annotated[Path, typer.Argument(metavar="SCORES", help="File with columns id, score.", show_default=False)],
    *,
    raters: Annotated[str, typer.Option(help="Columns of one rater's scores each, with commas, not score.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write human scores into a cache that was extracted without them; no model is needed.

    Items that the file does not name keep the scores that they have.

    Example: lager cache label cache/mine ratings.csv --raters ann,bob,cleo
    """
    from ..tools.label import label_cache

    done = label_cache(cache, scores, raters=[name.strip() for name in raters.split(",") if name.strip()])
    if as_json:
        shown = {"given": done.n_given, "changed": done.n_changed, "labelled": done.n_labelled}
        print(json.dumps({**shown, "items": done.cache.n_items, "content_hash": done.cache.content_hash}))
        return
    print(
        f"{done.n_given} items of {cache} have the scores of {scores} now, {done.n_changed} of them other ones before"
    )
    print(f"  with human scores: {done.n_labelled} of {done.cache.n_items} items")


def describe(
    cache: Annotated[Path, typer.Argument(metavar="CACHE", help="The cache.", show_default=False)],
    *,
    licence: Annotated[str | None, typer.Option(help="Of the data, such as cc-by-4.0.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the items come from.")] = None,
    citation: Annotated[str | None, typer.Option(help="How to cite them.")] = None,
    base_model: Annotated[
        str | None, typer.Option(help="The judge's name on a hub, or what it was tuned from.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what no file tells: for the manifest, and the card of a pushed copy. An empty text takes it back.

    Example: lager cache describe cache/mine --licence cc-by-4.0 --source "student essays, 2025"
    """
    from ..tools.describe import describe_cache

    given = {"licence": licence, "source": source, "citation": citation, "base_model": base_model}
    if all(value is None for value in given.values()):
        raise LagerError("nothing to say: give --licence, --source, --citation or --base-model")
    said = describe_cache(cache, **given)
    if as_json:
        print(json.dumps(said))
        return
    for name, text in said.items():
        print(f"{name.replace('_', ' '):12}{printable(text)}")
