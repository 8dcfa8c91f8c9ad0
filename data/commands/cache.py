"""`lager cache`: look at feature caches, keep them sound, share them, or make one from released results."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
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
    """Say what a cache holds; given several, which settings differ between them.

    Example: lager cache info cache/summeval
    """
    from ..cache.feature_cache import FeatureCache

    opened = [FeatureCache.open(path) for path in caches]
    summaries = [summarise(cache) for cache in opened]
    if as_json:
        print(json.dumps(summaries if len(summaries) > 1 else summaries[0], indent=2, allow_nan=False))
        return
    for summary in summaries:
        _print_summary(summary)
    for other in opened[1:]:
        _print_difference(opened[0], other)


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


def summarise(cache: Any) -> dict[str, Any]:
    """Return what there is to say about a `FeatureCache`, as JSON."""
    from ..items.raters import has_raters
    from ..remote.derived_copy import left_out
    from ..run.set_aside import EARLIER
    from ..tools.describe import described

    def kept() -> list[str]:
        names = [name for name in ("text", "generated") if name in cache.items.columns]
        raters = ["raters by name"] if has_raters(cache.items) else ["raters"] if annotators else []
        return [
            *names,
            *(raters if annotators and max(annotators) > 1 else []),
            *(["hidden"] if cache.poolings else []),
        ]

    human = cache.mean_scores
    annotators = [len(scores) for scores in cache.scores if scores]
    mass = cache.score_mass[cache.valid]
    recorded, inputs = cache.manifest["recorded"], cache.manifest["fingerprint_inputs"]
    groups, clusters, systems = (cache.column(name) for name in ("group", "cluster", "system"))
    return {
        "cache": str(cache.path),
        "model": recorded.get("model"),
        "items": cache.n_items,
        "valid": int(cache.valid.sum()),
        "invalid_reasons": dict(Counter(str(reason) for reason in cache.reason if reason)),
        "labelled": int(np.isfinite(human).sum()),
        "annotators": [min(annotators), max(annotators)] if annotators else None,
        "raters": _raters(cache),
        "groups": None if groups is None else len(set(groups)),
        "clusters": None if clusters is None else len(set(clusters)),
        "systems": None if systems is None else len(set(systems)),
        "layers": cache.n_layers,
        "scale": str(cache.scale),
        "condition": inputs.get("condition", {}).get("name"),
        "template": _first_words(inputs.get("prompt", {}).get("template")),
        "dtype": inputs.get("dtype"),
        "quantization": inputs.get("quantization"),
        "read": _last_end(cache.manifest["provenance"]),
        **described(cache.manifest),
        "hidden_states": ", ".join(cache.poolings) or None,
        "keeps": ", ".join(kept()) or None,
        "left_out": ", ".join(left_out(cache.manifest)) or None,
        "earlier": sum(1 for _ in (cache.path / EARLIER).glob("*.h5")) or None,
        "score_mass_median": float(np.median(mass)) if len(mass) and np.isfinite(mass).all() else None,
        "bytes": sum(file.stat().st_size for file in cache.path.rglob("*") if file.is_file()),
        "fingerprint": cache.fingerprint,
        "readout_id": cache.readout_id,
        "items_hash": cache.items_hash,
        "content_hash": cache.content_hash,
        "recorded": recorded,
        "provenance": cache.manifest["provenance"],
    }


def _raters(cache: Any) -> int | None:
    """Return how many raters have names; None where scores have places at most."""
    from ..items.raters import count_names

    return count_names(cache.items)


def _first_words(template: Any) -> str | None:
    """Return the beginning of a template, in one line."""
    text = " ".join(str(template).split()) if isinstance(template, str) else ""
    return (text if len(text) <= 60 else f"{text[:57]}...") or None


def _last_end(provenance: dict[str, Any]) -> str | None:
    """Return when the last of a cache's runs ended, where they say so."""
    runs = provenance.get("runs")
    ends = (
        [str(run["end"]) for run in runs if isinstance(run, dict) and run.get("end")] if isinstance(runs, list) else []
    )
    return max(ends)[:19] if ends else None


def _print_summary(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, title=summary["cache"], title_justify="left", box=None)
    table.add_column()
    table.add_column(overflow="fold")  # a hash is of use whole only
    skipped = {"cache", "recorded", "provenance", "invalid_reasons"}
    for key, value in summary.items():
        if key not in skipped and value is not None:
            table.add_row(key.replace("_", " "), _shown(key, value))
    for reason, count in summary["invalid_reasons"].items():
        table.add_row("  invalid", f"{count}: {printable(reason)}")
    Console(markup=False, highlight=False, emoji=False).print(table)


def _shown(key: str, value: Any) -> str:
    if key == "annotators":
        low, high = value
        return f"{low} an item" if low == high else f"{low} to {high} an item"
    if key == "bytes":
        return f"{value / 2**20:.2f} MiB"
    if key == "earlier":
        return f"{value} shards of an earlier item list"
    return f"{value:.3f}" if isinstance(value, float) else printable(value)


def _print_difference(first: Any, other: Any) -> None:
    from ..cache.manifest import differing

    names = differing(first.manifest["fingerprint_inputs"], other.manifest["fingerprint_inputs"])
    told = f"{printable(', '.join(names))} differ" if names else "read in the same way"
    print(f"{first.path} and {other.path}: {told}")
