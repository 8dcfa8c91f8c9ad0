"""What a sweep comes to: the tidy table, the ranking, the learning curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...data.files.writing import replacing
from .cells import MEASURED, Row

if TYPE_CHECKING:
    import polars as pl

TIDY_PARQUET, TIDY_CSV, RANKING_CSV = "sweep.parquet", "sweep.csv", "ranking.csv"


class Ranked(NamedTuple):
    """One strategy's line of the ranking."""

    rank: int | None
    """None where a draw, a fold or a group is without a figure: the mean would be over others than the rest."""
    strategy: str
    spearman: float | None
    """Mean over the draws at the largest size in which it is defined; of strategies without a fit their only figure."""
    deviation: float | None
    """Standard deviation over these draws."""
    size: int | None
    """Labels asked for."""
    labels: float | None
    """Labels that were fitted to, on the mean of draws: whole clusters may hold more than were asked for."""
    clusters: float | None
    """Clusters that these are of, on the mean of draws."""
    draws: int
    """Draws in which it is defined,"""
    of_draws: int
    """of so many."""
    folds_spearman: float | None
    """Mean over left-out folds in which it is defined."""
    mae: float | None
    undefined: int
    """Cells without a figure; see their reasons in the tidy table."""


class CurvePoint(NamedTuple):
    """One strategy at one number of labels."""

    size: int
    spearman: float
    """Mean over the draws in which it is defined."""
    deviation: float
    """Standard deviation over these draws."""
    draws: int
    """How many these are,"""
    of_draws: int
    """of so many."""


def tidy(rows: Iterable[Row]) -> pl.DataFrame:
    """Return one row per cell, in the order of their keys whatever order they were finished in."""
    import polars as pl

    floats = (*MEASURED, "spearman_pooled")
    schema = {
        "protocol": pl.String, "strategy": pl.String, "size": pl.Int64, "draw": pl.Int64, "n_train": pl.Int64,
        "train_clusters": pl.Int64, "n_test": pl.Int64, **dict.fromkeys(floats, pl.Float64),
        "undefined_groups": pl.Int64, "reason": pl.String,
    }  # fmt: skip
    table = pl.DataFrame(list(rows), schema=schema)
    return table.sort("protocol", "strategy", "size", "draw", nulls_last=True)


def ranking(rows: Sequence[Row]) -> list[Ranked]:
    """Return the strategies, best mean Spearman at the largest size first.

    Those that are undefined in a draw, or over fewer groups, come next, without a rank: their mean is over others.
    Where nothing was drawn, the mean over left-out folds decides.
    """
    sizes = [row["size"] for row in rows if row["protocol"] == "curve" and row["size"]]
    largest = max(sizes, default=None)
    lines = [_line(name, rows, largest) for name in dict.fromkeys(row["strategy"] for row in rows)]
    by_folds = not sizes and any(one.folds_spearman is not None for one in lines)
    found = {one.strategy: one.folds_spearman if by_folds else one.spearman for one in lines}
    deciding = [row for row in rows if row["protocol"] == ("folds" if by_folds else "curve")]
    deciding = [row for row in deciding if by_folds or row["size"] in {0, largest}]
    fewest = min((row["undefined_groups"] for row in deciding if row["spearman"] is not None), default=0)
    whole = {one.strategy: found[one.strategy] is not None for one in lines}
    for row in deciding:
        whole[row["strategy"]] &= row["spearman"] is not None and row["undefined_groups"] == fewest

    def order(one: Ranked) -> tuple[bool, float]:
        value = found[one.strategy]
        return whole[one.strategy], -np.inf if value is None else value

    lines.sort(key=order, reverse=True)
    return [one._replace(rank=place if whole[one.strategy] else None) for place, one in enumerate(lines, start=1)]


def learning_curve(rows: Sequence[Row], strategy: str) -> list[CurvePoint]:
    """Return mean and standard deviation over draws of each size at which there is a figure."""
    by_size: dict[int, list[float | None]] = {}
    for row in rows:
        if row["protocol"] == "curve" and row["strategy"] == strategy:
            by_size.setdefault(row["size"], []).append(row["spearman"])
    points = []
    for size, values in sorted(by_size.items()):
        if known := [value for value in values if value is not None]:
            points.append(CurvePoint(size, float(np.mean(known)), float(np.std(known)), len(known), len(values)))
    return points


def write_tables(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write the tidy table and the ranking; they follow from cells.jsonl and are made anew each time."""
    import polars as pl

    table = tidy(rows)
    lines = pl.DataFrame([one._asdict() for one in ranking(rows)], infer_schema_length=None)
    with replacing(folder / TIDY_PARQUET) as path:
        table.write_parquet(path)
    for name, content in ((TIDY_CSV, table), (RANKING_CSV, lines)):
        with replacing(folder / name) as path:
            content.write_csv(path)
    return [folder / name for name in (TIDY_PARQUET, TIDY_CSV, RANKING_CSV)]


def _line(strategy: str, rows: Sequence[Row], largest: int | None) -> Ranked:
    """Return a strategy's line, not ranked yet."""
    own = [row for row in rows if row["strategy"] == strategy]
    drawn = [row for row in own if row["protocol"] == "curve" and row["size"] in {0, largest}]
    spearman = _defined(drawn, "spearman")
    return Ranked(
        rank=None,
        strategy=strategy,
        spearman=_mean(spearman),
        deviation=float(np.std(spearman, ddof=1)) if len(spearman) > 1 else None,
        size=drawn[0]["size"] if drawn else None,
        labels=_mean([row["n_train"] for row in drawn]),
        clusters=_mean([row["train_clusters"] for row in drawn]),
        draws=len(spearman),
        of_draws=len(drawn),
        folds_spearman=_mean(_defined([row for row in own if row["protocol"] == "folds"], "spearman")),
        mae=_mean(_defined(drawn, "mae")),
        undefined=sum(row["spearman"] is None for row in own),
    )


def _defined(rows: Iterable[dict[str, Any]], metric: str) -> list[float]:
    return [row[metric] for row in rows if row[metric] is not None]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
