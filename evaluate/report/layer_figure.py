"""Agreement of each layer alone, every strategy a line across; and agreement against the depth that is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .drawing import DASHES, GRID, MUTED, SERIES, Drawn, line_labels, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..evaluation.early_exit import EarlyExit

_ENTRY = "layer entry (0: embeddings; last: after the final norm)"
_MANY = 18  # lines with a label; more cannot be read

#: The strategies that stand out; the others are grey lines with their names.
STYLES: Mapping[str, tuple[str, Any]] = {
    "lager-tuned": (SERIES[1], "-"),
    "lager": (SERIES[2], "--"),
    "e-score": (SERIES[3], ":"),
    "vscore": (SERIES[4], "-."),
}


def draw_layers(curve: Sequence[float | None], strategies: Mapping[str, float | None], *, metric: str) -> Drawn:
    """Draw a metric against the layer entry, with strategies as horizontal lines labelled at their end."""
    known = {name: value for name, value in strategies.items() if value is not None}
    kept = sorted(known, key=lambda name: (name not in STYLES, list(known).index(name)))[:_MANY]
    figure, (axes,) = new_figure(7.6, 2.6 + 0.17 * max(8, len(kept)))
    values = _plot(axes, curve)
    greys = (name for name in kept if name not in STYLES)
    styles = dict(STYLES) | {name: (MUTED, DASHES[index % len(DASHES)]) for index, name in enumerate(greys)}
    lines = [(name, known[name], *styles[name]) for name in kept]
    for name, value, colour, dashes in lines:
        axes.axhline(value, color=colour, linestyle=dashes, linewidth=1.5 if name in STYLES else 0.9, zorder=2)
    _finish(axes, len(values), _ENTRY, metric)
    line_labels(axes, lines, gap=0.85 / max(16, len(lines)))
    best = max(range(len(values)), key=lambda entry: -math.inf if math.isnan(values[entry]) else values[entry])
    alt = (
        f"Line chart of {metric} by layer entry. {_in_words(values)} Best single entry: {best}. Strategies: "
        + ", ".join(f"{name} {known[name]:.3f}" for name in kept)
    )
    return Drawn("layers", "Agreement by layer", figure, alt)


def draw_depth(
    curve: Sequence[float | None],
    full: Mapping[str, float | None],
    *,
    metric: str,
    early: Sequence[EarlyExit] = (),
) -> Drawn:
    """Draw the metric of the mean of the first entries, against how many are kept."""
    figure, (axes,) = new_figure(7.6, 3.4)
    values = _plot(axes, curve)
    known = [(name, value, *STYLES[name]) for name, value in full.items() if value is not None]
    for _, value, colour, dashes in known:
        axes.axhline(value, color=colour, linestyle=dashes, linewidth=1.5, zorder=2)
    if early and early[0].training:
        training = [math.nan if value is None else value for value in early[0].training]
        axes.plot(range(len(training)), training, color=SERIES[1], linestyle="-.", linewidth=1.5, zorder=2)
        axes.plot([], [], color=SERIES[1], linestyle="-.", label=f"{early[0].strategy}, left-out training folds")
    axes.plot([], [], color=SERIES[0], marker="o", markersize=4.5, label="lager on entries 0 to m, these items")
    for one in early:
        axes.axvline(one.entry, color=SERIES[1], linewidth=1.2, zorder=1)
    _finish(axes, len(values), "last entry m that is computed; blocks above it are left out", metric)
    if early:
        axes.legend(frameon=False, fontsize=8.5, loc="best")
    line_labels(axes, known)
    alt = f"Line chart of {metric} when the model stops at a layer entry and the entries so far are averaged. "
    words = [_in_words(values), *(one.in_words() for one in early)]
    return Drawn("depth", "Agreement against the depth that is kept", figure, alt + " ".join(words))


def _plot(axes: Axes, curve: Sequence[float | None]) -> list[float]:
    """Draw the curve and return its values, NaN where undefined."""
    values = [math.nan if value is None else value for value in curve]
    marker = "o" if len(values) <= 50 else ""
    axes.plot(range(len(values)), values, color=SERIES[0], marker=marker, markersize=4.5, linewidth=2, zorder=3)
    return values


def _finish(axes: Axes, n: int, xlabel: str, ylabel: str) -> None:
    """Set what all curves over layers have in common: ends, ticks, names of the axes."""
    from matplotlib.ticker import MaxNLocator

    if axes.get_ylim()[0] < 0 < axes.get_ylim()[1]:
        axes.axhline(0, color=GRID, linewidth=1.6, zorder=1)
    axes.set_xlim(-0.5, n - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12, min_n_ticks=1))
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_ylim(*axes.get_ylim())


def _in_words(values: Sequence[float]) -> str:
    """Return the curve's values at some entries, for readers who do not see the picture."""
    if all(math.isnan(value) for value in values):
        return "It is undefined at every entry."
    entries = [f"{value:.2f} at {entry}" for entry, value in enumerate(values) if not math.isnan(value)]
    step = max(1, len(entries) // 6)
    return "It is " + ", ".join([*entries[:-1:step], entries[-1]]) + "."
