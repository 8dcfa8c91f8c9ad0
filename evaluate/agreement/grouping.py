"""By which column agreement is averaged: the declared group, or columns named with ``--by``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.items.item_table import object_column
from ...data.items.joined_label import BETWEEN, label_part
from ...data.items.raters import RATED_BY
from ...data.items.score_files import nearest

if TYPE_CHECKING:
    from ...data.cache.feature_cache import FeatureCache

_NEVER = ("item_id", "scores", RATED_BY, "text")


def parse_by(text: str) -> tuple[str, ...]:
    """Read ``aspect`` or ``dataset,aspect``."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise LagerError(f"--by {text!r}: expected the name of a column, or several with commas between them")
    return names


def label_series(items: pl.DataFrame, name: str) -> pl.Series | None:
    """Return a column of the items, or None when it is missing or all null."""
    return None if name not in items.columns or items[name].is_null().all() else items[name]


def group_column(items: pl.DataFrame, by: Sequence[str] = ()) -> NDArray[np.object_] | None:
    """Return the groups of `group_series` as an ndarray of shape (n_items,)."""
    found = group_series(items, by)
    return None if found is None else object_column(found.to_frame("group"), "group")


def group_series(items: pl.DataFrame, by: Sequence[str] = (), *, level: str | None = None) -> pl.Series | None:
    """Return the groups that agreement is averaged over, or None where there are none."""
    if not by:
        return label_series(items, "group")
    if level == "pooled":
        raise LagerError("--by groups the items and --level pooled does not: leave one of them out")
    known = [name for name in items.columns if name not in _NEVER and not items[name].is_null().all()]
    for name in by:
        if name not in known:
            raise LagerError(
                f"--by: no item has a column {name!r}: {nearest(name, known) if known else 'there is none'}"
            )
    parts = pl.DataFrame([_parts(items[name], alone=len(by) == 1).alias(name) for name in dict.fromkeys(by)])
    return parts.select(pl.concat_str(parts.columns, separator=BETWEEN).alias("by"))["by"]


def has_columns(items: pl.DataFrame, by: Sequence[str]) -> bool:
    """Return whether items can be grouped by some columns."""
    return all(label_series(items, name) is not None for name in by)


def regrouped(cache: FeatureCache, by: Sequence[str]) -> FeatureCache:
    """Return a cache whose declared groups are those of `by`: what is fitted on it is fitted for these."""
    groups = group_series(cache.items, by) if by else None
    return cache if groups is None else replace(cache, items=cache.items.with_columns(groups.alias("group")))


def _parts(column: pl.Series, *, alone: bool) -> pl.Series:
    """Return a column as parts of a joined label, each distinct value written once."""
    texts = column.cast(pl.String)
    distinct = texts.unique().drop_nulls()
    written = pl.Series([label_part(text, alone=alone) for text in distinct], dtype=pl.String)
    return texts.replace(distinct, written).fill_null(label_part(None, alone=alone))
