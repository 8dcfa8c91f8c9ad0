"""`lager cache`: look at feature caches, keep them sound, share them, or make one from released results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..safe_text import printable
from .drop import drop, rm
from .label import describe, label
from .options_once import App
from .share import gc, ls, pull, push
from .status import status

app = App(no_args_is_help=True, help="Look at feature caches, keep them sound, share them.")
app.command("status")(status)
app.command("push")(push)
app.command("pull")(pull)
app.command("ls")(ls)
app.command("gc")(gc)
app.command("rm")(rm)
app.command("drop")(drop)
app.command("label")(label)
app.command("describe")(describe)


@app.command("info")
def info(
    caches: Annotated[list[Path], typer.Argument(metavar="CACHE...", help="One cache, or several to compare.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a cache holds; given several, which settings differ between them. Of a URL the manifest alone is read.

    Example: lager cache info cache/summeval
    """
    from .summary import print_difference, print_summary, summary_of

    found = [summary_of(path) for path in caches]
    summaries = [summary for summary, _ in found]
    if as_json:
        print(json.dumps(summaries if len(summaries) > 1 else summaries[0], indent=2, allow_nan=False))
        return
    for summary in summaries:
        print_summary(summary)
    for other in found[1:]:
        print_difference(found[0], other)


@app.command("repair")
def repair(cache: Annotated[Path, typer.Argument(help="The cache.")]) -> None:
    """Set damaged files aside, and make a lost manifest again; a new extraction fills what is missing then.

    Example: lager cache repair cache/summeval
    """
    from ..run.set_aside import DAMAGED
    from ..tools.repair import repair_cache

    done = repair_cache(cache)
    if done.aside:
        print(f"moved to {cache / DAMAGED}: {', '.join(done.aside)}")
    if done.complete:
        print(f"cache {cache} is complete and sound")
    else:
        print(f"{len(done.missing)} shards are missing: run the same `lager extract` command again to fill them")


@app.command("merge")
def merge(
    caches: Annotated[list[Path], typer.Argument(metavar="CACHE...", help="Caches of one fingerprint.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the new cache.")],
    tolerance: Annotated[
        float | None, typer.Option(help="How far the values of one item may lie apart; 1e-4 when left out.")
    ] = None,
) -> None:
    """Join caches that were read in the same way; an item that several have is compared, and kept once.

    Example: lager cache merge cache/monday cache/tuesday --out cache/both
    """
    from ..cache.shard_rows import TOLERANCE
    from ..tools.merge import merge_caches

    made = merge_caches(caches, out=out, tolerance=TOLERANCE if tolerance is None else tolerance)
    print(f"{made.cache.n_items} items, {made.n_common} more were in several caches and are kept once -> {out}")


@app.command("export")
def export(
    cache: Annotated[Path, typer.Argument(help="The cache.")],
    *,
    file_format: Annotated[str, typer.Option("--format", help="safetensors or numpy.")] = "safetensors",
    out: Annotated[Path, typer.Option(help="New folder.")],
) -> None:
    """Write a cache as safetensors or NumPy arrays, with its items as Parquet, for other tools.

    Example: lager cache export cache/summeval --format numpy --out arrays
    """
    from ..cache.feature_cache import FeatureCache
    from ..tools.export import export_cache

    export_cache(FeatureCache.open(cache), out=out, file_format=file_format)  # type: ignore[arg-type]
    print(f"{', '.join(sorted(path.name for path in out.iterdir()))} -> {out}")


@app.command("finalize")
def finalize(
    cache: Annotated[Path, typer.Argument(help="The cache.")],
    *,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that read shards; one, or one a core for many shards.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that all shards are there, and write the item table and the manifest; again at will.

    Example: lager cache finalize cache/summeval
    """
    from ..run.finalize import finalize_cache

    done = finalize_cache(cache, jobs=jobs)
    if as_json:
        print(json.dumps(done._asdict()))
        return
    print(f"cache {cache} is complete: {done.rows} items, {done.valid} valid")
    for reason, n in done.reasons.items():
        print(f"  not valid: {n}, {printable(reason)}")


@app.command("import-release")
def import_release(
    results: Annotated[Path, typer.Argument(help="Result file of the released code, JSON or JSON.gz.")],
    *,
    cache: Annotated[Path, typer.Option(help="Folder of the new cache.")],
    model: Annotated[str, typer.Option(help="Name of the judge; one name, one read-out.")],
) -> None:
    """Make a cache from results in the released code's JSON.

    Example: lager cache import-release flask_mistral.json --cache cache/flask --model Mistral-7B-Instruct-v0.3
    """
    from ..tools.import_release import import_release as make

    made = make(results, cache=cache, model=model)
    print(f"{made.n_items} items, {int(made.valid.sum())} with a score, {made.n_layers + 1} layer entries -> {cache}")
