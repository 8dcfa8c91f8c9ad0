"""One evaluation on disk: what `lager evaluate --out` wrote, checked, since it may come from others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ...data.files.writing import read_json
from ...data.items.joined_label import joined_label
from ..metrics.metrics import METRICS

#: What an evaluation has figures of.
LEVELS = ("pooled", "group", "system")


@dataclass(frozen=True)
class Run:
    """One evaluation's results.

    Parameters
    ----------
    path : Path
        Its folder.
    content : dict
        Its results.json.
    """

    path: Path
    content: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read a folder that `lager evaluate --out` wrote."""
        path = folder / "results.json"
        if not path.exists():
            raise LagerError(f"{folder} holds no results.json: give folders that lager evaluate --out wrote")
        content = read_json(path, what="results")
        rows, about = content.get("results"), content.get("about")
        known = isinstance(about, dict) and content.get("level") in LEVELS
        if not (known and isinstance(rows, list) and rows and all(map(_is_row, rows))):
            raise LagerError(f"{path} is not in the format of this version: run lager evaluate --out again")
        return cls(folder, content)

    @property
    def about(self) -> dict[str, Any]:
        """What was evaluated."""
        return dict(self.content["about"])

    @property
    def model(self) -> str:
        """The judge's model; the folder's name where there is none."""
        return str(self.about.get("model") or self.path.resolve().name)

    @property
    def column(self) -> str:
        """Benchmark and condition."""
        parts = (self.about.get("benchmark") or self.about.get("scores"), self.about.get("condition"))
        return joined_label([str(part) for part in parts if part] or ["items"])

    @property
    def identity(self) -> str:
        """What tells models of one name apart: their read-outs; the folder where no model was read."""
        cache = self.content.get("cache")
        readout = cache.get("readout_id") if isinstance(cache, dict) else None
        return str(readout or self.path.resolve())

    @property
    def evaluated(self) -> dict[str, Any]:
        """Hashes of the items, see `evaluated_items`; empty in results that do not say."""
        found = self.about.get("evaluated")
        return found if isinstance(found, dict) else {}

    @property
    def skipped(self) -> dict[str, str]:
        """Strategies without figures, and why."""
        rows = self.content.get("skipped")
        named = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return {str(row.get("strategy")): str(row.get("reason")) for row in named}


def undefined_in(row: dict[str, Any], metric: str) -> frozenset[str]:
    """Return the groups of a strategy's results in which a metric is undefined."""
    return frozenset(str(one["group"]) for one in row.get("groups", ()) if one[metric]["estimate"] is None)


def _is_row(row: Any) -> bool:
    """Return whether a strategy's results have the types that figures and names have."""
    if not isinstance(row, dict) or not isinstance(row.get("strategy"), str):
        return False
    pooled, groups = row.get("pooled", {}), row.get("groups", [])
    if not isinstance(groups, list) or not all(isinstance(part, dict) for part in (pooled, *groups)):
        return False
    named = all("group" in one and set(METRICS) & set(row) <= set(one) for one in groups)
    parts = (row, pooled, *groups)
    return named and all(_is_figure(part[metric]) for part in parts for metric in METRICS if metric in part)


def _is_figure(value: Any) -> bool:
    """Return whether a figure is finite or null, with a reason of text: results may come from others."""
    numbers = (int, float)
    return (
        isinstance(value, dict)
        and "estimate" in value
        and all(value.get(name) is None or type(value[name]) in numbers for name in ("estimate", "low", "high"))
        and all(math.isfinite(value[name]) for name in ("estimate", "low", "high") if value.get(name) is not None)
        and isinstance(value.get("reason"), str | None)
        and type(value.get("undefined_groups") or 0) is int
    )
