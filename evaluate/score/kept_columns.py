"""Columns of the items that go on into a file of scores, so that it can be grouped without the items beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ...data.errors import LagerError
from ...data.items.raters import RATED_BY
from ...data.scale import Scale
from .scored_rows import schema

_NOT_TEXT = frozenset({"item_id", "scores", RATED_BY})


def check_kept(names: Sequence[str], scale: Scale, *, levels: Sequence[float], decides: bool) -> None:
    """Raise `LagerError` for a name that the file of scores has itself, and one given twice."""
    own = schema(scale, levels, decides=decides)
    if taken := [name for name in names if name in own]:
        raise LagerError(f"--keep-columns {', '.join(taken)}: a file of scores has columns of that name itself")
    if len(set(names)) < len(names):
        raise LagerError(f"--keep-columns {','.join(names)}: expected each name once")


def kept_values(
    names: Sequence[str], table: pl.DataFrame, fields: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return the columns of some items, a mapping each: from their fields, else from the item table.

    Raises `LagerError` for a column that none of them has.
    """
    columns = {name: table[name].to_list() for name in table.columns if name not in _NOT_TEXT}
    known = {*columns, *(name for some in fields for name in some)}
    if missing := [name for name in names if name not in known]:
        listed = ", ".join(map(repr, sorted(known))) or "none"
        raise LagerError(f"--keep-columns: the items have no column {missing[0]!r}; they have {listed}")
    rows: Sequence[Mapping[str, Any]] = fields or [{}] * len(table)
    return [
        {name: row[name] if name in row else columns[name][i] if name in columns else None for name in names}
        for i, row in enumerate(rows)
    ]


def as_text(value: Any) -> str | None:
    """Return a value as a cell of a table holds it: text as it is, JSON of anything else."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
