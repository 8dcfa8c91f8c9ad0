"""The figure of several evaluations."""

from __future__ import annotations

from ..report.drawing import INK, MARKERS, SERIES, Drawn, new_figure, tick_labels
from .comparison_table import metric_and_level
from .runs import Compared


def draw_models(compared: Compared) -> Drawn:
    """Draw each row's figures as dots on one line, the mean as a bar, a marker for each column."""
    rows = compared.rows
    names, columns = tick_labels([f"{row.model}  {row.strategy}" for row in rows]), tick_labels(compared.columns)
    beside = max(0, max(map(len, names)) - 24) + max(0, max(map(len, columns)) - 12)
    figure, (axes,) = new_figure(7.6 + 0.08 * beside, 1.6 + 0.3 * len(rows))
    places = range(len(rows))
    for index, column in enumerate(compared.columns):
        values = [
            (place, row.cells[column]["estimate"])
            for place, row in zip(places, rows, strict=True)
            if column in row.cells
        ]
        known = [(place, value) for place, value in values if value is not None]
        axes.plot([value for _, value in known], [place for place, _ in known], label=columns[index], linestyle="",
                  marker=MARKERS[index % len(MARKERS)], color=SERIES[index % len(SERIES)], markersize=6.5)  # fmt: skip
    means = [(place, row.mean) for place, row in zip(places, rows, strict=True) if row.mean is not None]
    axes.plot([value for _, value in means], [place for place, _ in means], label="mean", linestyle="", marker="|",
              color=INK, markersize=13, markeredgewidth=2)  # fmt: skip
    axes.set_yticks(list(places), names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(metric_and_level(compared))
    axes.legend(frameon=False, fontsize=8.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    said = ", ".join(f"{rows[place].model} {rows[place].strategy} {value:.3f}" for place, value in means)
    alt = f"Dot plot of {len(rows)} rows over {', '.join(compared.columns)}. Means: {said or 'none'}."
    return Drawn("models", "Models and strategies", figure, alt)
