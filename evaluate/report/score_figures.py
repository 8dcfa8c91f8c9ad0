"""Predicted against human scores: how they lie, and whether they can be taken at their word."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..metrics.calibration_error import BINS
from .drawing import DASHES, MARKERS, MUTED, SERIES, Drawn, new_figure

_STEPS = 24  # cells of the scale on each side


def draw_scores(
    human: NDArray[np.float64], scores: Mapping[str, NDArray[np.float64]], *, low: float, high: float
) -> Drawn:
    """Draw human against predicted scores as dots whose area is the number of items, one panel a strategy.

    Parameters
    ----------
    human : ndarray of shape (n_items,)
        NaN where there is none.
    scores : mapping of str to ndarray of shape (n_items,)
        NaN where there is none; at most three.
    low, high : float
        Ends of the axes.
    """
    figure, panels = new_figure(2.6 * len(scores) + 0.7, 3.1, panels=len(scores))
    width = (high - low) / _STEPS
    said = []
    for axes, (name, values) in zip(panels, scores.items(), strict=True):
        both = ~np.isnan(human) & ~np.isnan(values)
        x, y, counts = occupied_cells(values[both], human[both], low=low, width=width)
        axes.scatter(x, y, s=90 * counts / counts.max(), color=SERIES[0], alpha=0.75, linewidths=0)
        axes.plot([low, high], [low, high], color=MUTED, linestyle="--", linewidth=1)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("predicted")
        pad = (high - low) * 0.06
        axes.set_xlim(low - pad, high + pad)
        axes.set_ylim(low - pad, high + pad)
        axes.set_box_aspect(1)
        said.append(f"{name} spans {values[both].min():.2f} to {values[both].max():.2f}")
    panels[0].set_ylabel("human")
    alt = "Predicted against human scores, dots with the area of the number of items. " + "; ".join(said) + "."
    return Drawn("scores", "Predicted against human score", figure, alt)


def occupied_cells(
    x: NDArray[np.float64], y: NDArray[np.float64], *, low: float, width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Return the centres of the cells of a square grid that hold points, and how many each holds."""
    cells = [np.round((side - low) / width).astype(np.intp) for side in (x, y)]
    first = [side.min() for side in cells]
    columns, rows = (side - start for side, start in zip(cells, first, strict=True))
    height = int(rows.max()) + 1
    occupied, counts = np.unique(columns * height + rows, return_counts=True)
    places = (occupied // height + first[0], occupied % height + first[1])
    return low + places[0] * width, low + places[1] * width, counts


def draw_calibration(human: NDArray[np.float64], scores: Mapping[str, NDArray[np.float64]]) -> Drawn:
    """Draw the mean human score of ten bins of equal mass against their mean prediction."""
    figure, (axes,) = new_figure(4.8, 4.2)
    said = []
    ends = []
    for index, (name, values) in enumerate(scores.items()):
        predicted, found = calibration_points(human, values)
        ends += [*predicted, *found]
        colour, dashes = SERIES[index % len(SERIES)], DASHES[index % len(DASHES)]
        axes.plot(predicted, found, label=name, color=colour, linestyle=dashes,
                  marker=MARKERS[index % len(MARKERS)], markersize=5)  # fmt: skip
        said.append(f"{name} from {predicted[0]:.2f} (humans {found[0]:.2f}) to {predicted[-1]:.2f} ({found[-1]:.2f})")
    line = [min(ends), max(ends)]
    axes.plot(line, line, color=MUTED, linestyle="--", linewidth=1, label="as humans")
    axes.set_xlabel("mean predicted score of the bin")
    axes.set_ylabel("mean human score of the bin")
    axes.legend(frameon=False, fontsize=8.5)
    alt = "Line chart of mean human against mean predicted score in ten bins of equal size. " + "; ".join(said) + "."
    return Drawn("calibration", "Calibration", figure, alt)


def calibration_points(
    human: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean prediction and mean human score of each bin that has items, in the bins of `calibration_error`."""
    both = ~np.isnan(human) & ~np.isnan(values)
    x, y = values[both], human[both]
    _, tie, counts = np.unique(x, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2)[tie]
    bins = np.minimum(np.floor(BINS * middle / len(x)), BINS - 1).astype(int)
    found = np.unique(bins)
    means = np.array([[side[bins == b].mean() for b in found] for side in (x, y)])
    return means[0], means[1]
