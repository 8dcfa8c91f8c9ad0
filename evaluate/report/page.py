"""The report: one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2

from ...data.safe_text import printable
from ...data.version import VERSION
from ..evaluation.evaluation import Evaluation
from ..metrics.metrics import METRICS
from ..tables.table import Table
from .beside_raters import beside_raters, by_uncertainty
from .decided_alone import decided_alone
from .difference_table import difference_table
from .drawing import Drawn, inline
from .headline import opening
from .human_table import human_table
from .result_table import metric_table
from .system_means import system_means
from .worst_items import WorstItems, worst_items

_FACTS = {
    "model": "model",
    "revision": "revision",
    "benchmark": "items",
    "condition": "condition",
    "template": "template (sha256)",
    "dtype": "dtype",
    "quantization": "quantisation",
    "scale": "scale",
    "layers": "layers",
    "rows": "rows",
    "valid": "valid rows",
    "fingerprint": "fingerprint",
    "items_hash": "items hash",
    "scores": "human scores",
    "by": "grouped by",
}


def render_report(evaluation: Evaluation, table: Table, drawn: Sequence[Drawn]) -> str:
    """Return the report of one evaluation with its result table; `drawing` must be open.

    Everything from the items is escaped, and text is there only where the cache kept it.
    """
    others = [metric for metric in METRICS if metric not in evaluation.shown]
    further = [
        metric_table(evaluation, others, caption="Every other metric") if others else None,
        human_table(evaluation),
        difference_table(evaluation),
        beside_raters(evaluation),
        by_uncertainty(evaluation),
        decided_alone(evaluation),
        system_means(evaluation),
    ]
    return render(
        [table, *(one for one in further if one is not None)],
        drawn,
        title="Agreement with human scores",
        headline=table.headline,
        opening=opening(evaluation),
        facts=facts(evaluation),
        worst=worst_items(evaluation),
    )


def render(
    tables: Sequence[Table],
    drawn: Sequence[Drawn],
    *,
    title: str,
    headline: Sequence[str],
    opening: str = "",
    facts: Sequence[tuple[str, str]] = (),
    worst: WorstItems | None = None,
) -> str:
    """Fill the page's template; the first table is open and its notes stand below all tables."""
    text = files(__package__).joinpath("report.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(text).render(
        version=VERSION,
        title=title,
        headline=headline,
        opening=opening,
        facts=facts,
        tables=[table.shown_in("page") for table in tables],
        notes=tables[0].lines_below("bold:"),
        figures=[{"name": one.name, "title": one.title, "svg": inline(one), "alt": one.alt} for one in drawn],
        worst=worst,
    )
    return printable(page, keep="\n\t") + "\n"


def facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return names and values that say what was run."""
    about = evaluation.about
    out = [(title, about[name]) for name, title in _FACTS.items() if about.get(name) not in (None, [], "")]
    agreement = evaluation.agreement
    out.append(("items compared", f"{agreement.n} of {agreement.n_labelled} labelled ({agreement.coverage:.1%})"))
    mass: Mapping[str, Any] = about.get("score_mass") or {}
    if mass.get("mean") is not None:
        out.append(
            ("mass on the score tokens", f"{mass['mean']:.3f} on average, 5 % of the items below {mass['low']:.3f}")
        )
    return [(title, ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for title, value in out]
