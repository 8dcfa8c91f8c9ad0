"""Which items an evaluation is of, in a few hashes: what other evaluations are compared with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl

from ...data.items.item_table import mean_scores
from ...data.scale import Scale
from ..agreement.grouping import group_series, label_series

_DIGITS, _SHOWN = 9, 16


def evaluated_items(items: pl.DataFrame, scale: Scale | None, *, by: Sequence[str] = ()) -> dict[str, Any]:
    """Return the number of items that humans scored, and hashes of these items with each thing that is known of them.

    Prompts are not in it: another model's tokens of the same text have other hashes. Human scores are, as parts of the
    scale, so that other items under the same row numbers are told apart.
    """
    table = items.select(
        "item_id",
        pl.Series("human", _share(items, scale)),
        *(
            pl.lit(None, pl.String).alias(name) if column is None else column.cast(pl.String).alias(name)
            for name, column in (
                ("groups", group_series(items, by)),
                ("clusters", label_series(items, "cluster")),
                ("systems", label_series(items, "system")),
            )
        ),
    )
    labelled = table.filter(pl.col("human").is_not_nan()).sort("item_id")
    ids = sha256(json.dumps(labelled["item_id"].to_list()).encode()).digest()
    out: dict[str, Any] = {"n": len(labelled), "scores": _hash(ids, labelled["human"].to_numpy().tobytes())}
    for name in ("groups", "clusters", "systems"):
        column = labelled[name]
        known = column.null_count() < len(column)
        out[name] = _hash(ids, json.dumps(column.to_list()).encode()) if known else None
    return out


def _share(items: pl.DataFrame, scale: Scale | None) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return mean human scores as parts of the scale, where it is known, without what rounding makes of them."""
    means = mean_scores(items["scores"])
    if scale is not None:
        means = (means - scale.low) / (scale.high - scale.low)
    return np.round(means, _DIGITS) + 0.0  # no negative zero


def _hash(*parts: bytes) -> str:
    return sha256(b"".join(parts)).hexdigest()[:_SHOWN]
