"""Agreement against the number of training items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .drawing import DASHES, MARKERS, SERIES, Drawn, new_figure


class LearningPoint(NamedTuple):
    """One fit: a strategy, how many items it was fitted on, and the metric on the test items."""

    strategy: str
    size: int
    value: float


def draw_learning(points: Sequence[LearningPoint], *, metric: str) -> Drawn:
    """Draw the mean over seeds of each strategy and size, with the range over seeds."""
    figure, (axes,) = new_figure(7.6, 3.6)
    said = []
    for index, name in enumerate(dict.fromkeys(point.strategy for point in points)):
        own = [point for point in points if point.strategy == name]
        sizes = sorted({point.size for point in own})
        values = [[point.value for point in own if point.size == size] for size in sizes]
        means = [float(np.mean(one)) for one in values]
        colour = SERIES[index % len(SERIES)]
        axes.plot(sizes, means, color=colour, linestyle=DASHES[index % len(DASHES)], label=name,
                  marker=MARKERS[index % len(MARKERS)], markersize=5)  # fmt: skip
        axes.fill_between(sizes, [min(one) for one in values], [max(one) for one in values], color=colour, alpha=0.15)
        said.append(f"{name} from {means[0]:.3f} at {sizes[0]} to {means[-1]:.3f} at {sizes[-1]}")
    axes.set_xscale("log")
    every = sorted({point.size for point in points})
    axes.set_xticks(every, [f"{size:,}" for size in every])
    axes.minorticks_off()
    axes.set_xlabel("training items")
    axes.set_ylabel(metric)
    axes.legend(frameon=False, fontsize=8.5)
    return Drawn("learning", "Learning curves", figure, f"Line chart of {metric} by training items: {'; '.join(said)}.")
