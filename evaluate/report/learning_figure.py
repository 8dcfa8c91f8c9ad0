"""Agreement against the number of training items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ...data.errors import LagerError
from ...data.files.writing import read_json
from ...data.items.small_files import check_columns, read_rows
from ..evaluation.evaluation import Evaluation
from .drawing import DASHES, MARKERS, MUTED, SERIES, Drawn, line_labels, new_figure

MOST = 6  # strategies that one figure can tell apart


class LearningPoint(NamedTuple):
    """One fit: a strategy, how many items it was fitted on, and the metric on the test items."""

    strategy: str
    size: int
    value: float


def draw_learning(
    points: Sequence[LearningPoint],
    *,
    metric: str,
    references: Mapping[str, float] = MappingProxyType({}),
    unit: str = "training items",
) -> Drawn:
    """Draw the mean over draws of each strategy and size, one standard deviation over draws shaded."""
    figure, (axes,) = new_figure(7.6, 4.0)
    said, ends = [], []
    counts = Counter((point.strategy, point.size) for point in points)
    draws = max(counts.values())
    for index, name in enumerate(dict.fromkeys(point.strategy for point in points)):
        own = [point for point in points if point.strategy == name]
        sizes = sorted({point.size for point in own})
        values = [[point.value for point in own if point.size == size] for size in sizes]
        means, spread = np.array([np.mean(one) for one in values]), np.array([np.std(one) for one in values])
        colour, dashes = SERIES[index % len(SERIES)], DASHES[index % len(DASHES)]
        axes.plot(sizes, means, color=colour, linestyle=dashes, marker=MARKERS[index % len(MARKERS)], markersize=5)
        axes.fill_between(sizes, means - spread, means + spread, color=colour, alpha=0.13, linewidth=0)
        ends.append((name, float(means[-1]), colour, dashes))
        said.append(f"{name} from {means[0]:.3f} at {sizes[0]} to {means[-1]:.3f} at {sizes[-1]}")
        for size, mean in zip(sizes, means, strict=True):
            if (defined := counts[name, size]) < draws:  # a mean over other draws than the rest
                axes.annotate(f"{defined} of {draws}", (size, mean), xytext=(0, 5), textcoords="offset points",
                              fontsize=7, color=colour, ha="center")  # fmt: skip
                said.append(f"{name} at {size} in {defined} of {draws} draws")
    for index, (name, value) in enumerate(references.items()):
        ends.append((name, value, MUTED, DASHES[-1 - index % len(DASHES)]))
        axes.axhline(value, color=MUTED, linestyle=ends[-1][3], linewidth=1.2)
        said.append(f"{name} {value:.3f} without labels")
    axes.set_xscale("log")
    every = sorted({point.size for point in points})
    axes.set_xticks(every, [f"{size:,}" for size in every])
    axes.minorticks_off()
    axes.set_xlabel(f"{unit}; mean of {draws} draws")
    axes.set_ylabel(metric)
    line_labels(axes, ends)
    return Drawn(
        "learning",
        "Learning curves",
        figure,
        f"Line chart of {metric} by {unit}, {draws} draws each: {'; '.join(said)}.",
    )


def read_learning_points(folder: Path) -> list[LearningPoint]:
    """Return Spearman by training size from the ``sweep.csv`` of a sweep's folder, of its six best strategies.

    Rows of the protocol ``curve`` that have a size and a figure count; the best are those of the largest mean at their
    largest size.
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


def sweep_notes(folder: Path, evaluation: Evaluation) -> list[str]:
    """Return a note where a sweep's curves are of another cache or level than the evaluation that shows them."""
    path = folder / "sweep.json"
    if not path.exists() or evaluation.cache is None:
        return [f"nothing says whether the learning curves of {folder} are of the items evaluated here"]
    found, own = read_json(path, what="sweep"), evaluation.cache.content_hash
    notes = []
    if found.get("test") != own:
        notes.append(
            f"the learning curves are of another test cache: content {str(found.get('test'))[:12]} in {folder}, "
            f"{own[:12]} here"
        )
    if found.get("level") != (level := evaluation.agreement.level):
        notes.append(f"the learning curves are of level {str(found.get('level'))[:12]}, the table is of {level}")
    return notes


def _at_largest(points: list[LearningPoint], name: str) -> float:
    size = max(point.size for point in points if point.strategy == name)
    values = [point.value for point in points if (point.strategy, point.size) == (name, size)]
    return sum(values) / len(values)
