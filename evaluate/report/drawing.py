"""How figures look, and how they are written: PNG, SVG, and SVG inside a page that is light or dark.

Matplotlib draws them: it is the one that renders PNG and SVG by itself, without a browser or a script in the page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...data.errors import LagerError
from ...data.files.writing import replacing
from ...data.safe_text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#222222", "#767676", "#e6e6e6", "#ffffff"
#: Okabe & Ito's colours, told apart by colour-blind readers; each series has its own dashes and marker too.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P")
_INKED = ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "xtick.color", "ytick.color")
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper"} | {
    colour: f"series-{index}" for index, colour in enumerate(SERIES)
}
_PIXELS = 104  # of a page for an inch of a figure
_LONGEST = 48  # characters of a name beside an axis
_NARROW = 520  # pixels below which a figure is scrolled, not shrunk


class NoMatplotlibError(LagerError):
    """Figures need a library that is not installed; the other files of a result do not."""


_NO_MATPLOTLIB = "no figures: they need matplotlib; install it with: pip install 'lager[plots]'"


class Drawn(NamedTuple):
    """A figure and what it shows, in words.

    Parameters
    ----------
    name : str
        File name without suffix.
    title : str
        Its heading.
    figure : matplotlib.figure.Figure
    alt : str
        What a reader who does not see it should know.
    """

    name: str
    title: str
    figure: Figure
    alt: str


@contextmanager
def drawing() -> Iterator[None]:
    """Set the fonts and colours of figures made and saved inside; nothing global is left changed."""
    try:
        import matplotlib as mpl
        import matplotlib.figure
    except ImportError:
        raise NoMatplotlibError(_NO_MATPLOTLIB) from None
    settings: dict[Any, Any] = {
        **dict.fromkeys(_INKED, INK),
        "svg.fonttype": "none",
        "text.parse_math": False,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": GRID,
        "axes.axisbelow": True,
        "lines.linewidth": 1.8,
    }
    with mpl.rc_context(settings):
        yield


def new_figure(
    width: float = 7.2, height: float = 4.0, *, panels: int = 1, same_y: bool = True
) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many inches and its axes, side by side; `drawing` must be open."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False, sharey=same_y and panels > 1)
    return figure, list(axes[0])


def save(drawn: Drawn, folder: Path) -> list[Path]:
    """Write a figure as PNG and SVG on white paper; `drawing` must be open."""
    paths = [folder / f"{drawn.name}.png", folder / f"{drawn.name}.svg"]
    save_png(drawn, paths[0])
    with replacing(paths[1]) as temporary:
        temporary.write_text(_svg(drawn, facecolor=PAPER), encoding="utf-8")
    return paths


def save_png(drawn: Drawn, path: Path) -> None:
    """Write a figure as PNG on white paper; `drawing` must be open."""
    _make_printable(drawn.figure)
    with replacing(path) as temporary:
        drawn.figure.savefig(temporary, format="png", facecolor=PAPER, metadata={"Title": drawn.title})


def inline(drawn: Drawn) -> str:
    """Return a figure as an SVG element whose colours are the page's variables; `drawing` must be open."""
    text = _svg(drawn, facecolor="none")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for colour, variable in _VARIABLES.items():
        text = re.sub(re.escape(colour), f"var(--{variable})", text, flags=re.IGNORECASE)
    text = re.sub(r'\bid="', f'id="{drawn.name}-', text)
    text = re.sub(r'href="#', f'href="#{drawn.name}-', text)
    text = text.replace("url(#", f"url(#{drawn.name}-")
    head, rest = text.split(">", 1)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    width = round(_PIXELS * float(drawn.figure.get_figwidth()))
    style = f"max-width:{width}px;min-width:{min(width, _NARROW)}px"
    return f'{head} role="img" aria-label="{_escape(drawn.alt)}" style="{style}">{rest}'


def _svg(drawn: Drawn, *, facecolor: str) -> str:
    """Return the figure as SVG, the same bytes each time."""
    import matplotlib as mpl

    out = io.StringIO()
    _make_printable(drawn.figure)
    with mpl.rc_context({"svg.hashsalt": drawn.name}):
        drawn.figure.savefig(out, format="svg", facecolor=facecolor, metadata={"Date": None, "Title": drawn.title})
    return printable(out.getvalue(), keep="\n\t")


def tick_labels(names: Sequence[str]) -> list[str]:
    """Return names as they fit beside an axis; ticks are drawn just as they are given."""
    shown = map(printable, names)
    return [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in shown]


def _make_printable(figure: Figure) -> None:
    """Show control characters in names as escapes: no font has them, and XML forbids them."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text(), keep="\n"))


def _escape(text: str) -> str:
    return printable(text).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def line_labels(axes: Axes, lines: Sequence[tuple[str, float, str, Any]], *, gap: float = 0.052) -> None:
    """Write names and values of horizontal lines at the right end of the axes, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    places = spread_labels([(value - low) / (high - low) for _, value, _, _ in lines], gap=gap)
    for (name, value, colour, dashes), place in zip(lines, places, strict=True):
        axes.annotate(
            f"{name} {value:.3f}",
            xy=(1.0, (value - low) / (high - low)),
            xytext=(1.04, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            arrowprops={"arrowstyle": "-", "color": colour, "linestyle": dashes, "linewidth": 1.1, "shrinkA": 1,
                        "shrinkB": 0, "relpos": (0, 0.5)},
        )  # fmt: skip


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
