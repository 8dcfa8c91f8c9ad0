"""The report of several evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..metrics.metrics import METRICS
from ..report.drawing import INK, MARKERS, SERIES, Drawn, drawing, inline, new_figure, save, tick_labels
from ..report.marks import LEVELS
from ..report.outputs import FIGURES, REPORT, write_text
from ..report.page import render
from .runs import Compared, cells, notes


def write_report(compared: Compared, folder: Path) -> list[Path]:
    """Write the report and its figure.

    Raises
    ------
    LagerError
        When matplotlib is not installed.
    """
    with drawing():
        drawn = draw_models(compared)
        save(drawn, folder / FIGURES)
        page = render(
            title="Comparison of evaluations",
            headline=[f"{METRICS[compared.metric].title}, {LEVELS[compared.level]}"],
            facts=[],
            tables=[_table(compared)],
            notes=list(notes(compared, best="bold:")),
            figures=[{"name": drawn.name, "title": drawn.title, "svg": inline(drawn), "alt": drawn.alt}],
            worst=None,
        )
    write_text(folder / REPORT, page)
    return [folder / REPORT, folder / FIGURES]


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
    axes.set_xlabel(f"{METRICS[compared.metric].title}, {LEVELS[compared.level]}")
    axes.legend(frameon=False, fontsize=8.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    said = ", ".join(f"{rows[place].model} {rows[place].strategy} {value:.3f}" for place, value in means)
    alt = f"Dot plot of {len(rows)} rows over {', '.join(compared.columns)}. Means: {said or 'none'}."
    return Drawn("models", "Models and strategies", figure, alt)


def _table(compared: Compared) -> dict[str, Any]:
    rows = []
    for row, figures in zip(compared.rows, cells(compared), strict=True):
        values = [row.cells.get(column, {}) for column in compared.columns]
        line = [_text(row.model), _text(row.strategy + (" (in-sample)" if row.in_sample else ""))]
        for (text, best), value in zip(figures, [*values, {"estimate": row.mean}], strict=True):
            known = value.get("low") is not None and value.get("high") is not None
            bounds = f"[{value['low']:.3f}, {value['high']:.3f}]" if known else ""
            sort, why = value.get("estimate"), value.get("reason") or ""
            line.append({"text": text, "sub": bounds, "sort": sort, "best": best, "why": why})
        rows.append(line)
    titles = ["model", "strategy", *compared.columns, "mean"]
    return {"caption": "Comparison", "titles": titles, "rows": rows, "open": True}


def _text(text: str) -> dict[str, Any]:
    return {"text": text, "sub": "", "sort": text, "best": False, "why": ""}
