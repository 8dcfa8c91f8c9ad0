"""A cache in ten lines, for an interactive session and a notebook."""

from __future__ import annotations

from html import escape

from ..safe_text import printable
from ..scale import Scale
from .cache_columns import CacheColumns


def overview(cache: CacheColumns) -> dict[str, str]:
    """Return what there is to say of a cache at first sight, by name; only the item table and `valid` are read."""
    scale = Scale.from_json(cache.manifest["scale"])
    human = cache.items["scores"].list.len().fill_null(0)
    counts = {name: cache.items[name].drop_nulls().n_unique() for name in ("group", "cluster", "system")}
    known = ", ".join(f"{n} {name}s" for name, n in counts.items() if n)
    return {
        "model": printable(cache.manifest["recorded"].get("model") or "not told"),
        "items": f"{cache.n_items}, {int(cache.valid.sum())} with a read-out",
        "human scores": f"{int((human > 0).sum())} items, {int(human.sum())} scores",
        "of": known or "no groups, clusters or systems",
        "scale": str(scale),
        "entries": f"{cache.n_layers + 1} (embedding and {cache.n_layers} layers) x {len(scale.values)} labels",
        "hidden states": ", ".join(cache.poolings) or "none",
        "read-out": str(cache.manifest["readout_id"])[:12],
        "path": printable(cache.path),
    }


def overview_text(cache: CacheColumns) -> str:
    """Return the overview as text, a line each."""
    return "\n".join(["FeatureCache", *(f"  {name:14}{value}" for name, value in overview(cache).items())])


def overview_html(cache: CacheColumns) -> str:
    """Return the overview as a table of HTML, all text escaped."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in overview(cache).items()
    )
    return f"<strong>FeatureCache</strong><table>{rows}</table>"
