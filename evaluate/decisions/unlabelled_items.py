"""Items that judges scored and people did not, where the file of human scores holds the labelled ones alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ...data.errors import LagerError
from ...data.items.score_rows import ScoreRows
from ...data.items.values import label_text

_OWN = ("item_id", "scores")
_SAME = ("group", "cluster", "system")


def with_unlabelled(items: pl.DataFrame, external: Sequence[str]) -> pl.DataFrame:
    """Return the items with those that only files of judges' scores name, at the end and without human scores.

    What labelled items lack of group, cluster, system and other columns is taken from these files, too; where both
    name an item's group, cluster or system, these must be the same.
    """
    names = [name for name in items.columns if items.schema[name] == pl.String and name not in _OWN]
    for path in dict.fromkeys(Path(spec.rpartition(":")[0]) for spec in external if ":" in spec):
        file = ScoreRows(path, what="file of external scores")
        known = set(items["item_id"])
        columns = {
            name: [
                label_text(row.get(name), what=f"{path}, row {n}: {name}") for n, row in enumerate(file.rows, start=1)
            ]
            for name in names
        }
        there = pl.DataFrame(
            {"item_id": file.ids(known), **columns}, schema={"item_id": pl.String, **dict.fromkeys(names, pl.String)}
        )
        filled = items.join(there, on="item_id", how="left", maintain_order="left", suffix=" of file")
        _check_same(filled, [name for name in names if name in _SAME], path)
        filled = filled.with_columns(pl.coalesce(name, f"{name} of file").alias(name) for name in names)
        new = there.filter(~pl.col("item_id").is_in(known))
        items = pl.concat([filled.select(items.columns), new], how="diagonal").with_columns(
            pl.col("scores").fill_null(pl.lit([], dtype=items.schema["scores"]))
        )
    return items


def _check_same(both: pl.DataFrame, names: Sequence[str], path: Path) -> None:
    """Raise `LagerError` where a file says otherwise of items than was known."""
    for name in names:
        other = both.filter(pl.col(name) != pl.col(f"{name} of file"))
        if len(other):
            item, known, said = other.select("item_id", name, f"{name} of file").row(0)
            raise LagerError(
                f"{path}: {len(other)} items have another {name} than in the files before it (first: {item!r}, "
                f"{said!r}, where it was {known!r}): correct it, or leave the column out of one file"
            )
