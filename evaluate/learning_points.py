"""Learning curves of a sweep, for the report."""

from __future__ import annotations

from pathlib import Path

from ..data.errors import LagerError
from ..data.item_files import check_columns, read_rows
from .report.learning_figure import MOST, LearningPoint


def read_learning_points(folder: Path) -> list[LearningPoint]:
    """Return Spearman by training size from the ``sweep.csv`` of a sweep's folder, of its six best strategies.

    Rows of the protocol ``curve`` that have a size and a figure count; the best are those of the largest mean at their
    largest size.

    Raises
    ------
    LagerError
        When the folder holds no sweep, or no learning curve is in it.
    """
    path = folder / "sweep.csv"
    rows = read_rows(path, what="sweep")
    check_columns(rows, ("protocol", "strategy", "size", "spearman"), path=path)
    points = []
    for number, row in enumerate(rows, start=1):
        if row["protocol"] == "curve" and row["size"] and row["spearman"]:
            try:
                points.append(LearningPoint(str(row["strategy"]), int(row["size"]), float(row["spearman"])))
            except ValueError:
                raise LagerError(
                    f"{path}, row {number}: size {row['size']!r} and spearman {row['spearman']!r} must be numbers; run "
                    "the sweep again"
                ) from None
    if not points:
        raise LagerError(f"{path} has no learning curve: run lager sweep with --sizes")
    best = sorted({point.strategy for point in points}, key=lambda name: (-_at_largest(points, name), name))[:MOST]
    return [point for name in best for point in points if point.strategy == name]


def _at_largest(points: list[LearningPoint], name: str) -> float:
    size = max(point.size for point in points if point.strategy == name)
    values = [point.value for point in points if (point.strategy, point.size) == (name, size)]
    return sum(values) / len(values)
