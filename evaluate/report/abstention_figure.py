"""Agreement against the share of items that is kept, the least certain abstained from first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..evaluation.abstention import AbstentionPoint
from ..metrics.metrics import METRICS
from .drawing import DASHES, MARKERS, MUTED, SERIES, Drawn, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DRAWN = ("spearman", "mae")
_IN_WORDS = (100, 50, 10)


def draw_abstention(curves: Mapping[str, Sequence[AbstentionPoint]], *, level: str) -> Drawn:
    """Draw Spearman and MAE of up to three strategies, a random order and, for MAE, the best order beside them."""
    figure, panels = new_figure(8.4, 3.7, panels=len(_DRAWN), same_y=False)
    for axes, metric in zip(panels, _DRAWN, strict=True):
        for index, (name, points) in enumerate(curves.items()):
            _draw_one(axes, name, points, metric, index)
        axes.set_xlim(103, 7)
        axes.set_xticks([100, 80, 60, 40, 20])
        axes.set_xlabel("items kept, %")
        axes.set_ylabel(f"{METRICS[metric].title}, {level}")
    for style, what in ((":", "random order"), ("--", "best order (MAE)")):
        panels[0].plot([], [], color=MUTED, linestyle=style, linewidth=1.1, label=what)
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, fontsize=8.5, ncols=5,
                  loc="outside lower center")  # fmt: skip
    said = "; ".join(_in_words(name, points) for name, points in curves.items())
    alt = (
        "Line charts of Spearman and MAE against the share of items that is kept, those with the largest standard "
        f"deviation of the judge's distribution abstained from first. {said}."
    )
    return Drawn("abstention", "Agreement when the least certain items are abstained from", figure, alt)


def _draw_one(axes: Axes, name: str, points: Sequence[AbstentionPoint], metric: str, index: int) -> None:
    """Draw one strategy's curve with its interval, the random order and, for the error, the best one."""
    shares, colour = [point.share for point in points], SERIES[index % len(SERIES)]
    values = [point.metrics[metric] for point in points]
    axes.plot(shares, [_number(one.estimate) for one in values], label=name, color=colour,
              linestyle=DASHES[0], marker=MARKERS[index % len(MARKERS)], markersize=4.5)  # fmt: skip
    low, high = ([_number(end) for end in ends] for ends in zip(*((one.low, one.high) for one in values), strict=True))
    axes.fill_between(shares, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.plot(shares, [_number(point.random[metric]) for point in points], color=colour, linestyle=":", linewidth=1.1)
    if metric == "mae":
        axes.plot(shares, [_number(point.oracle) for point in points], color=colour, linestyle="--", linewidth=1.1)


def _in_words(name: str, points: Sequence[AbstentionPoint]) -> str:
    """Return one strategy's figures at a few shares, for readers who do not see the picture."""
    found = {point.share: point for point in points}
    parts = []
    for metric in _DRAWN:
        values = [found[share].metrics[metric].estimate for share in _IN_WORDS]
        told = (
            f"{'-' if value is None else format(value, '.3f')} at {share} %"
            for value, share in zip(values, _IN_WORDS, strict=True)
        )
        parts.append(f"{METRICS[metric].title} {', '.join(told)}")
    return f"{name}: {' and '.join(parts)}"


def _number(value: float | None) -> float:
    return math.nan if value is None else value
