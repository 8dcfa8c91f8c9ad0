"""The per-layer curve as a picture, readable in grey and without telling colours apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..data.errors import LagerError
from ..data.files import replacing

#: Reference lines: name, colour (Okabe & Ito, safe for colour-blind readers), dash pattern.
_REFERENCES = (
    ("lager-tuned", "#D55E00", "-"),
    ("lager", "#009E73", "--"),
    ("e-score", "#000000", ":"),
    ("vscore", "#777777", "-."),
)
_INK = "#222222"
_CURVE = "#0072B2"
_GAP = 0.052  # smallest distance of two labels, as a share of the axis


def draw_layer_figure(
    path: Path, curve: Sequence[float | None], references: Mapping[str, float | None], *, ylabel: str, title: str
) -> None:
    """Draw a metric against the layer entry, with strategies as horizontal lines labelled at their end.

    Parameters
    ----------
    path : Path
        Where the PNG goes.
    curve : sequence of float or None
        Layer entries 0 to L; None leaves a gap.
    references : mapping of str to float or None
        The same metric of whole strategies; the ones drawn are lager-tuned, lager, e-score and vscore.
    ylabel, title : str
        Texts.

    Raises
    ------
    LagerError
        When matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise LagerError("no layers.png: it needs matplotlib; install it with: pip install 'lager[plots]'") from None
    figure = Figure(figsize=(7.2, 4.2), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    values = [float("nan") if value is None else value for value in curve]
    marker = "o" if len(values) <= 50 else ""
    axes.plot(range(len(values)), values, color=_CURVE, marker=marker, markersize=4.5, linewidth=2, zorder=3)
    lines = [
        (name, value, colour, dash) for name, colour, dash in _REFERENCES if (value := references.get(name)) is not None
    ]
    for _, value, colour, dash in lines:
        axes.axhline(value, color=colour, linestyle=dash, linewidth=1.5, zorder=2)
    if axes.get_ylim()[0] < 0 < axes.get_ylim()[1]:
        axes.axhline(0, color="#BBBBBB", linewidth=0.8, zorder=1)
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12, min_n_ticks=1))
    axes.set_xlabel("layer entry (0: embeddings; last: after the final norm)", color=_INK)
    axes.set_ylabel(ylabel, color=_INK)
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)
    low, high = axes.get_ylim()
    places = spread_labels([(value - low) / (high - low) for _, value, _, _ in lines], gap=_GAP)
    for (name, value, colour, _), place in zip(lines, places, strict=True):
        axes.annotate(
            f"{name} {value:.3f}",
            xy=(1.0, (value - low) / (high - low)),
            xytext=(1.03, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            color=_INK,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linestyle": dash,
                "linewidth": 1.2,
                "shrinkA": 1,
                "shrinkB": 0,
            },
        )
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", facecolor="white", metadata={"Title": title})


def spread_labels(places: Sequence[float], *, gap: float) -> list[float]:
    """Move labels apart so that neighbours are `gap` away or more, their order kept and their middle held."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    out = [places[index] for index in order]
    clusters: list[list[float]] = []  # each: members' own places
    for place in out:
        clusters.append([place])
        while len(clusters) > 1 and _top(clusters[-2], gap) + gap > _bottom(clusters[-1], gap):
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    spread = [_bottom(members, gap) + gap * rank for members in clusters for rank in range(len(members))]
    result = [0.0] * len(places)
    for index, place in zip(order, spread, strict=True):
        result[index] = place
    return result


def _bottom(members: Sequence[float], gap: float) -> float:
    return sum(members) / len(members) - gap * (len(members) - 1) / 2


def _top(members: Sequence[float], gap: float) -> float:
    return sum(members) / len(members) + gap * (len(members) - 1) / 2
