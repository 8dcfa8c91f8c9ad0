"""What there is to say about a cache, as JSON and as a table: of one that is open, or of a manifest elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..cache.manifest import differing
from ..files.location import as_url
from ..safe_text import printable
from ..scale import Scale


def summary_of(path: Path) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the summary and the manifest of a cache; of one at a URL its manifest alone is fetched."""
    if (url := as_url(path)) is None:
        from ..cache.feature_cache import FeatureCache

        cache = FeatureCache.open(path)
        return summarise(cache), cache.manifest
    from ..remote.open import open_remote
    from ..remote.pull import read_remote_manifest

    remote = open_remote(url)
    found = read_remote_manifest(remote)
    return _of_manifest(
        found.record, where=remote.shown, size=sum(entry["bytes"] for entry in found.files)
    ), found.record


def _of_manifest(manifest: Mapping[str, Any], *, where: str, size: int) -> dict[str, Any]:
    """Return what a manifest says; None for what only the cache's own files tell."""
    from ..remote.derived_copy import left_out
    from ..tools.describe import described

    recorded, inputs = manifest["recorded"], manifest["fingerprint_inputs"]
    return {
        "cache": where,
        "model": recorded.get("model"),
        "items": manifest["items"]["rows"],
        "valid": None,
        "invalid_reasons": {},
        "labelled": None,
        "annotators": None,
        "raters": None,
        "groups": None,
        "clusters": None,
        "systems": None,
        "layers": manifest["n_entries"] - 1,
        "scale": str(Scale.from_json(manifest["scale"])),
        "condition": inputs.get("condition", {}).get("name"),
        "template": _first_words(inputs.get("prompt", {}).get("template")),
        "dtype": inputs.get("dtype"),
        "quantization": inputs.get("quantization"),
        "read": _last_end(manifest["provenance"]),
        **described(dict(manifest)),
        "hidden_states": None,
        "keeps": None,
        "left_out": ", ".join(left_out(dict(manifest))) or None,
        "earlier": None,
        "score_mass_median": None,
        "bytes": size,
        "fingerprint": manifest["fingerprint"],
        "readout_id": manifest["readout_id"],
        "items_hash": manifest["items_hash"],
        "content_hash": manifest["content_hash"],
        "recorded": recorded,
        "provenance": manifest["provenance"],
    }


def summarise(cache: Any) -> dict[str, Any]:
    """Return what there is to say about a `FeatureCache`, as JSON."""
    from ..items.raters import count_names
    from ..run.set_aside import EARLIER

    annotators = [len(scores) for scores in cache.scores if scores]
    mass = cache.score_mass[cache.valid]
    size = sum(file.stat().st_size for file in cache.path.rglob("*") if file.is_file())
    counts = {f"{name}s": cache.column(name) for name in ("group", "cluster", "system")}
    return _of_manifest(cache.manifest, where=str(cache.path), size=size) | {
        "items": cache.n_items,
        "valid": int(cache.valid.sum()),
        "invalid_reasons": dict(Counter(str(reason) for reason in cache.reason if reason)),
        "labelled": int(np.isfinite(cache.mean_scores).sum()),
        "annotators": [min(annotators), max(annotators)] if annotators else None,
        "raters": count_names(cache.items),
        **{name: None if column is None else len(set(column)) for name, column in counts.items()},
        "hidden_states": ", ".join(cache.poolings) or None,
        "keeps": ", ".join(_kept(cache, annotators)) or None,
        "earlier": sum(1 for _ in (cache.path / EARLIER).glob("*.h5")) or None,
        "score_mass_median": float(np.median(mass)) if len(mass) and np.isfinite(mass).all() else None,
    }


def _kept(cache: Any, annotators: list[int]) -> list[str]:
    """Return what a cache holds that is about a text or a person."""
    from ..items.raters import has_raters

    names = [name for name in ("text", "generated") if name in cache.items.columns]
    several = bool(annotators) and max(annotators) > 1
    raters = ["raters by name" if has_raters(cache.items) else "raters"] if several else []
    return [*names, *raters, *(["hidden"] if cache.poolings else [])]


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


def print_summary(summary: dict[str, Any]) -> None:
    """Print a summary as a table."""
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


def print_difference(first: tuple[dict[str, Any], Mapping[str, Any]], other: Any) -> None:
    """Print which settings differ between two caches, each a summary and a manifest."""
    names = differing(first[1]["fingerprint_inputs"], other[1]["fingerprint_inputs"])
    told = f"{printable(', '.join(names))} differ" if names else "read in the same way"
    print(f"{first[0]['cache']} and {other[0]['cache']}: {told}")
