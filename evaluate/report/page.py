"""The report: one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np

from ...data.safe_text import printable
from ...data.version import VERSION
from ..agreement.result import Estimate
from ..evaluation.evaluation import Evaluation
from ..metrics.metrics import METRICS
from .drawing import Drawn, inline
from .marks import best_strategies, figure, headline, significance
from .text_tables import bold_notes

_NONE = "-"
_WORST = 10
_TEXT = 1500  # characters of a prompt that are shown
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


def render_report(evaluation: Evaluation, drawn: Sequence[Drawn]) -> str:
    """Return the report of one evaluation; `drawing` must be open.

    Everything from the items is escaped, and text is there only where the cache kept it.
    """
    agreement = evaluation.agreement
    others = [metric for metric in METRICS if metric not in evaluation.shown]
    return render(
        title="Agreement with human scores",
        headline=list(headline(agreement)),
        facts=facts(evaluation),
        tables=[
            _table(evaluation, evaluation.shown, caption="Agreement", is_open=True),
            *([_table(evaluation, others, caption="Every other metric", is_open=False)] if others else []),
            *_human_table(evaluation),
            *_comparison_table(evaluation),
        ],
        notes=bold_notes(evaluation),
        figures=[_figure(one) for one in drawn],
        worst=worst_items(evaluation),
    )


def render(**content: Any) -> str:
    """Fill the page's template: title, headline, facts, tables, notes, figures and worst."""
    text = files(__package__).joinpath("report.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(text).render(version=VERSION, **content)
    return printable(page, keep="\n\t") + "\n"


def facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return what was run, as pairs of a name and a value."""
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


def _figure(drawn: Drawn) -> dict[str, str]:
    return {"name": drawn.name, "title": drawn.title, "svg": inline(drawn), "alt": drawn.alt}


def _cell(value: Estimate, mark: str = "", *, best: bool = False) -> dict[str, Any]:
    bounds = "" if value.low is None or value.high is None else f"[{figure(value.low)}, {figure(value.high)}]"
    text = figure(value.estimate) if value.estimate is not None else _NONE
    return {"text": text + mark, "sub": bounds, "sort": value.estimate, "best": best, "why": value.reason or ""}


def _plain(text: str, sort: float | str | None = None) -> dict[str, Any]:
    return {"text": text, "sub": "", "sort": sort, "best": False, "why": ""}


def _table(evaluation: Evaluation, metrics: Sequence[str], *, caption: str, is_open: bool) -> dict[str, Any]:
    agreement = evaluation.agreement
    best = best_strategies(evaluation)
    pooled = is_open and agreement.level != "pooled"
    rows = []
    for strategy, scored in zip(agreement.strategies, evaluation.scored, strict=True):
        name = strategy.strategy
        cells = [_plain(name + (" (in-sample)" if scored.in_sample else ""), name)]
        cells += [
            _cell(strategy.metrics[m], significance(agreement, name, m), best=name in best.get(m, ())) for m in metrics
        ]
        cells += [_cell(strategy.pooled["spearman"])] * pooled + [_plain(str(strategy.n), strategy.n)]
        rows.append(cells)
    titles = ["strategy", *(METRICS[metric].title for metric in metrics), *["Spearman, pooled"] * pooled, "n"]
    return {"caption": caption, "titles": titles, "rows": rows, "open": is_open}


def _human_table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the table of raters and shares, where annotators are kept."""
    reference = evaluation.agreement.human_reference
    if reference is None or reference.reason is not None:
        return []
    metrics = [metric for metric in evaluation.shown if METRICS[metric].better == "higher"]
    titles = ["strategy"]
    for metric in metrics:
        title = METRICS[metric].title
        titles += [f"{title}, same targets as raters", "of human", "of the ceiling"]
    rows = [[_plain("human (one rater)", "human"), *(
        cell for metric in metrics for cell in (_cell(reference.human[metric]), _plain("100%", 1.0), _plain(_NONE))
    )]]  # fmt: skip
    for name, shares in reference.shares.items():
        cells = [_plain(name, name)]
        for metric in metrics:
            share = shares[metric]
            cells.append(
                _plain(_NONE if share.against_others is None else figure(share.against_others), share.against_others)
            )
            cells += [_plain(_NONE if one is None else f"{one:.0%}", one) for one in (share.of_human, share.of_ceiling)]
        rows.append(cells)
    known = [("ceiling", reference.ceiling), ("Krippendorff's alpha of the raters", reference.alpha)]
    said = ", ".join(f"{name} {figure(value.estimate)}" for name, value in known if value.estimate is not None)
    caption = "Against what humans reach" + (f" ({said})" if said else "")
    return [{"caption": caption, "titles": titles, "rows": rows, "open": False}] if metrics else []


def _comparison_table(evaluation: Evaluation) -> list[dict[str, Any]]:
    comparison = evaluation.agreement.comparison
    if comparison is None:
        return []
    titles = ["strategy"]
    for metric in evaluation.shown:
        titles += [f"{METRICS[metric].title}, difference", "p", "p (Holm)"]
    rows = []
    for name, of_metric in comparison.differences.items():
        cells = [_plain(name, name)]
        for metric in evaluation.shown:
            one = of_metric[metric]
            cells.append(_cell(Estimate(one.difference, one.low, one.high, one.reason), best=one.significant))
            cells += [_plain(_NONE if p is None else f"{p:.3f}", p) for p in (one.p, one.p_holm)]
        rows.append(cells)
    caption = f"Differences to {comparison.baseline} (bold: p < 0.05 after Holm's correction)"
    return [{"caption": caption, "titles": titles, "rows": rows, "open": False}]


def worst_items(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the items on which the best strategy on the scale and the humans differ most, text where it was kept."""
    best = best_strategies(evaluation)[evaluation.shown[0]]
    on_scale = [one for one in evaluation.scored if one.on_scale]
    if not on_scale:
        return None
    chosen = next((one for one in on_scale if one.name in best), on_scale[0])
    human, group = evaluation.human, evaluation.group
    gap = np.abs(chosen.scores - human)
    order = np.argsort(-np.where(np.isnan(gap), -np.inf, gap), kind="stable")[:_WORST]
    texts = evaluation.items["text"] if "text" in evaluation.items.columns else None
    scores, ids = evaluation.items["scores"], evaluation.items["item_id"]
    rows = [
        {
            "id": ids[int(row)],
            "group": "" if group is None else str(group[row]),
            "score": figure(float(chosen.scores[row]), 2),
            "human": figure(float(human[row]), 2),
            "raters": ", ".join(f"{one:g}" for one in scores[int(row)].to_list()),
            "gap": figure(float(chosen.scores[row] - human[row]), 2),
            "text": None if texts is None else _shortened(str(texts[int(row)])),
        }
        for row in order
        if not np.isnan(gap[row])
    ]
    return {"strategy": chosen.name, "rows": rows, "grouped": group is not None, "texts": texts is not None}


def _shortened(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[: _TEXT // 2]} ... {text[-_TEXT // 2 :]}"
