"""A heat map of a metric by group and strategy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..agreement.result import StrategyAgreement
from .drawing import Drawn, new_figure, tick_labels

_MOST = 40  # groups drawn; the files hold all
_LIGHT, _DARK = "#e8f1f8", "#08416b"


def draw_groups(strategies: Sequence[StrategyAgreement], *, metric: str, title: str) -> Drawn | None:
    """Draw each group's figure as a shaded cell with its number, darker for higher."""
    from matplotlib.colors import LinearSegmentedColormap

    if not strategies or not strategies[0].groups:
        return None
    labels = list(dict.fromkeys(group.group for one in strategies for group in one.groups))
    names = [one.strategy for one in strategies]
    found = {(one.strategy, group.group): group.metrics[metric].estimate for one in strategies for group in one.groups}
    shown = labels[:_MOST]
    values = np.array([[_number(found.get((name, label))) for name in names] for label in shown])
    across = len(shown) <= 8  # few groups: strategies down, groups across
    told = tick_labels(shown)
    table, down, right = (values.T, names, told) if across else (values, told, names)
    beside, below = max(map(len, down)), max(map(len, right))  # the figure grows with its longest names
    figure, (axes,) = new_figure(
        2.2 + 0.75 * len(right) + 0.08 * max(0, beside - 8), 1.3 + 0.3 * len(down) + 0.045 * max(0, below - 8)
    )
    low, high = (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else (0.0, 1.0)
    colours = LinearSegmentedColormap.from_list("lager", [_LIGHT, _DARK])
    for row in range(len(down)):
        for place in range(len(right)):
            _cell(axes, place, row, table[row, place], low, high, colours)
    axes.set_xlim(-0.5, len(right) - 0.5)
    axes.set_ylim(len(down) - 0.5, -0.5)
    axes.set_xticks(range(len(right)), right, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(down)), down)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    left_out = f"; {len(labels) - len(shown)} more groups are in results.csv" if len(labels) > len(shown) else ""
    span = f"from {low:.2f} to {high:.2f}{left_out}"
    alt = f"Heat map of {title} for {len(names)} strategies in {len(shown)} groups, {span}."
    return Drawn("groups", f"{title} by group{left_out}", figure, alt)


def _cell(axes, place, row, value, low, high, colours) -> None:  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Draw one cell, with its number in a colour that can be read on it."""
    from matplotlib.patches import Rectangle

    if np.isnan(value):
        axes.text(place, row, "-", ha="center", va="center", fontsize=8.5)
        return
    shade = 0.5 if high == low else (value - low) / (high - low)
    axes.add_patch(Rectangle((place - 0.48, row - 0.46), 0.96, 0.92, color=colours(shade), linewidth=0))
    text = f"{value:.2f}".replace("0.", ".", 1)
    axes.text(place, row, text, ha="center", va="center", fontsize=8.5, color="#fefefe" if shade > 0.5 else "#101010")


def _number(value: float | None) -> float:
    return np.nan if value is None else value
