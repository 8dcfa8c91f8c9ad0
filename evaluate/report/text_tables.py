"""The table of agreement as Markdown and as LaTeX (booktabs)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..agreement.result import Estimate
from ..evaluation.evaluation import Evaluation
from ..metrics.metrics import METRICS
from .marks import best_strategies, figure, footnotes, headline, significance

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def markdown(evaluation: Evaluation) -> str:
    """Return the headline, the shown metrics with their intervals, and the footnotes."""
    agreement = evaluation.agreement
    titles = ["strategy", *(METRICS[metric].title for metric in evaluation.shown)]
    titles += ["Spearman, pooled"] * (agreement.level != "pooled") + ["n"]
    lines = ["  \n".join(escape_markdown(line) for line in headline(agreement)), ""]
    lines += _markdown_row(titles), _markdown_row(["---", *["---:"] * (len(titles) - 1)])
    best = best_strategies(evaluation)
    for strategy, scored in zip(agreement.strategies, evaluation.scored, strict=True):
        name = strategy.strategy
        cells = [escape_markdown(name) + (" (in-sample)" if scored.in_sample else "")]
        for metric in evaluation.shown:
            text = _with_interval(strategy.metrics[metric], significance(agreement, name, metric))
            cells.append(f"**{text}**" if name in best[metric] else text)
        cells += [_with_interval(strategy.pooled["spearman"])] * (agreement.level != "pooled") + [str(strategy.n)]
        lines.append(_markdown_row(cells))
    reference = agreement.human_reference
    if reference is not None and reference.human:
        cells = ["human", *(_with_interval(reference.human[metric]) for metric in evaluation.shown)]
        lines.append(_markdown_row([*cells, *[""] * (len(titles) - len(cells))]))
    notes = bold_notes(evaluation)
    lines += ["", *(f"- {escape_markdown(line)}" for line in notes)]
    return "\n".join(lines) + "\n"


def latex(evaluation: Evaluation) -> str:
    """Return a booktabs tabular of the shown metrics, with what was compared as a comment above."""
    agreement = evaluation.agreement
    best = best_strategies(evaluation)
    rows = []
    for strategy in agreement.strategies:
        name = strategy.strategy
        cells = [escape_latex(name)]
        for metric in evaluation.shown:
            mark = significance(agreement, name, metric)
            text = figure(strategy.metrics[metric].estimate) if strategy.metrics[metric].estimate is not None else "--"
            text = rf"\textbf{{{text}}}" if name in best[metric] else text
            cells.append(text + (f"$^{{{mark}}}$" if mark else ""))
        rows.append(cells)
    reference = agreement.human_reference
    below = []
    if reference is not None and reference.human:
        values = (reference.human[metric].estimate for metric in evaluation.shown)
        below = [["human", *("--" if value is None else figure(value) for value in values)]]
    titles = ["strategy", *(METRICS[metric].title for metric in evaluation.shown)]
    return latex_table(titles, [rows, below], comments=[*headline(agreement), *footnotes(evaluation)])


def latex_table(
    titles: Sequence[str], sections: Sequence[Sequence[Sequence[str]]], *, comments: Sequence[str], names: int = 1
) -> str:
    """Return a booktabs tabular; cells are LaTeX already, titles are escaped here, sections are parted by a rule.

    The first columns, `names` of them, are text; the others are figures.
    """
    body = [rf"{' & '.join(row)} \\" for row in sections[0]]
    for section in sections[1:]:
        body += [r"\midrule", *(rf"{' & '.join(row)} \\" for row in section)] if section else []
    lines = [f"% {line}" for text in comments for line in text.splitlines()]
    lines += [
        "% needs \\usepackage{booktabs}",
        rf"\begin{{tabular}}{{{'l' * names}{'r' * (len(titles) - names)}}}",
        r"\toprule",
    ]
    lines += [" & ".join(map(escape_latex, titles)) + r" \\", r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; cells are Markdown already."""
    return "\n".join(_table_lines(titles, rows)) + "\n"


def _table_lines(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _markdown_row(titles)
    yield _markdown_row(["---", *["---:"] * (len(titles) - 1)])
    yield from map(_markdown_row, rows)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _with_interval(value: Estimate, mark: str = "") -> str:
    if value.estimate is None:
        return "-"
    bounds = "" if value.low is None or value.high is None else f" [{figure(value.low)}, {figure(value.high)}]"
    return f"{figure(value.estimate)}{mark}{bounds}"


def bold_notes(evaluation: Evaluation) -> list[str]:
    """Return the footnotes of a table that shows the best in bold, not with a star."""
    return [line.replace("* best in its column", "bold: best in its column") for line in footnotes(evaluation)]


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.splitlines())


def escape_latex(text: str) -> str:
    """Return text that LaTeX sets as it is."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.splitlines()))
