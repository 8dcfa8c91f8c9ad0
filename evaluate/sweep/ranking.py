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
    strategy: str
    spearman: float | None
    """Mean over draws at the largest size; of strategies without a fit their only figure."""
    deviation: float | None
    """Standard deviation over the draws."""
    size: int | None
    draws: int
    folds_spearman: float | None
    """Mean over left-out folds."""
    mae: float | None
    undefined: int
    """Cells without a figure; see their reasons in the tidy table."""


def tidy(rows: Iterable[Row]) -> pl.DataFrame:
    """Return one row per cell, in the order of their keys whatever order they were finished in."""
    import polars as pl

    floats = (*MEASURED, "spearman_pooled")
    schema = {
        "protocol": pl.String, "strategy": pl.String, "size": pl.Int64, "draw": pl.Int64, "n_train": pl.Int64,
        "n_test": pl.Int64, **dict.fromkeys(floats, pl.Float64), "reason": pl.String,
    }  # fmt: skip
    table = pl.DataFrame(list(rows), schema=schema)
    return table.sort("protocol", "strategy", "size", "draw", nulls_last=True)


def ranking(rows: Sequence[Row]) -> list[Ranked]:
    """Return the strategies, best mean Spearman at the largest size first; undefined ones last, without a rank.

    Where nothing was drawn, the mean over left-out folds decides.
    """
    sizes = [row["size"] for row in rows if row["protocol"] == "curve" and row["size"]]
    lines = [_line(name, rows, max(sizes, default=None)) for name in dict.fromkeys(row["strategy"] for row in rows)]
    figure = {
        one.strategy: one.spearman if sizes or one.folds_spearman is None else one.folds_spearman for one in lines
    }
    lines.sort(key=lambda one: -np.inf if figure[one.strategy] is None else figure[one.strategy] or 0.0, reverse=True)
    return [
        one._replace(rank=None if figure[one.strategy] is None else place) for place, one in enumerate(lines, start=1)
    ]


def learning_curve(rows: Sequence[Row], strategy: str) -> list[tuple[int, float, float]]:
    """Return (size, mean Spearman, standard deviation over draws) where it is defined."""
    by_size: dict[int, list[float]] = {}
    for row in rows:
        if row["protocol"] == "curve" and row["strategy"] == strategy and row["spearman"] is not None:
            by_size.setdefault(row["size"], []).append(row["spearman"])
    return [(size, float(np.mean(values)), float(np.std(values))) for size, values in sorted(by_size.items())]


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
        draws=len(spearman),
        folds_spearman=_mean(_defined([row for row in own if row["protocol"] == "folds"], "spearman")),
        mae=_mean(_defined(drawn, "mae")),
        undefined=sum(row["spearman"] is None for row in own),
    )


def _defined(rows: Iterable[dict[str, Any]], metric: str) -> list[float]:
    return [row[metric] for row in rows if row[metric] is not None]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
