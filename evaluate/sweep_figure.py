"""Learning curves as a picture: agreement against labels used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..data.errors import LagerError
from ..data.files import replacing
from .report.drawing import spread_labels
from .sweep_cell import Row
from .sweep_tables import learning_curve, ranking

CURVES_PNG = "learning_curves.png"

#: Colours (Okabe & Ito, safe for colour-blind readers), each with a dash pattern and a marker of its own.
_STYLES = (
    ("#D55E00", "-", "o"),
    ("#0072B2", "--", "s"),
    ("#009E73", "-.", "^"),
    ("#CC79A7", ":", "D"),
    ("#E69F00", "-", "v"),
    ("#56B4E9", "--", "P"),
)
_REFERENCES = (("lager", "#000000", ":"), ("e-score", "#777777", "--"))
_GAP = 0.055


def draw_learning_curves(path: Path, rows: Sequence[Row], *, level: str) -> None:
    """Draw the best strategies' mean Spearman against the number of labels, one deviation over draws shaded.

    Raises
    ------
    LagerError
        When matplotlib is not installed, or no strategy was fitted on draws.
    """
    fitted = [one.strategy for one in ranking(rows) if one.size and one.spearman is not None][: len(_STYLES)]
    if not fitted:
        raise LagerError(f"no {path.name}: no strategy has a figure for any number of labels")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise LagerError(f"no {path.name}: it needs matplotlib; install it with: pip install 'lager[plots]'") from None
    figure = Figure(figsize=(7.2, 4.2), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    ends: list[tuple[str, float, str]] = []
    for name, (colour, dash, marker) in zip(fitted, _STYLES, strict=False):
        curve = learning_curve(rows, name)
        sizes, means = [size for size, _, _ in curve], [mean for _, mean, _ in curve]
        axes.plot(sizes, means, color=colour, linestyle=dash, marker=marker, markersize=4.5, linewidth=1.8)
        low, high = ([mean + sign * error for _, mean, error in curve] for sign in (-1, 1))
        axes.fill_between(sizes, low, high, color=colour, alpha=0.12, linewidth=0)
        ends.append((name, means[-1], colour))
    for name, colour, dash in _REFERENCES:
        for _, value, _ in learning_curve(rows, name):
            axes.axhline(value, color=colour, linestyle=dash, linewidth=1.2)
            ends.append((name, value, colour))
    axes.set_xscale("log")
    ticks = sorted({row["size"] for row in rows if row["protocol"] == "curve" and row["size"]})
    axes.set_xticks(ticks, [f"{size:,}" for size in ticks])
    axes.minorticks_off()
    axes.set_xlabel("labels used")
    axes.set_ylabel(f"Spearman on the test cache, {'pooled' if level == 'pooled' else 'mean over groups'}")
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    bottom, top = axes.get_ylim()
    places = spread_labels([(value - bottom) / (top - bottom) for _, value, _ in ends], gap=_GAP)
    for (name, value, colour), place in zip(ends, places, strict=True):
        axes.annotate(
            f"{name} {value:.3f}", xy=(1.0, (value - bottom) / (top - bottom)), xytext=(1.03, place),
            xycoords="axes fraction", textcoords="axes fraction", va="center", fontsize=8.5,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 1.2, "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", facecolor="white", metadata={"Title": "Learning curves"})
