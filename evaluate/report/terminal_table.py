"""The table of agreement on the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...data.safe_text import printable
from ..agreement.result import Estimate
from ..evaluation.evaluation import Evaluation
from ..metrics.metrics import METRICS
from .marks import best_strategies, figure, footnotes, headline, significance

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_BESIDE = 136  # columns from which intervals stand beside the figures, not below them
_COUNTS = 100  # columns from which n and coverage have columns, not only the headline
_ABREAST = 4  # metrics side by side; more go into further tables


def print_table(evaluation: Evaluation, console: Console) -> None:
    """Print what was compared, the figures, and what a reader should know about them."""
    from rich.text import Text

    for line in headline(evaluation.agreement):
        console.print(Text(printable(line)))
    for start in range(0, len(evaluation.shown), _ABREAST):
        metrics = evaluation.shown[start : start + _ABREAST]
        console.print(_table(evaluation, metrics, width=console.width, first=start == 0))
    for line in footnotes(evaluation):
        console.print(Text(printable(line)))


def _table(evaluation: Evaluation, metrics: Sequence[str], *, width: int, first: bool) -> Table:
    """Return the table of some metrics; pooled Spearman and the counts stand in the first one only."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    agreement = evaluation.agreement
    grouped, counts = first and agreement.level != "pooled", first and width >= _COUNTS
    style = _Style(separator=" " if width >= _BESIDE else "\n", digits=3 if width >= _COUNTS else 2)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0))
    table.add_column("strategy", no_wrap=True)
    titles = [METRICS[metric].title for metric in metrics]
    titles += [*(["Spearman,\npooled"] if grouped else []), *(["n", "cover"] if counts else [])]
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    best = best_strategies(evaluation)
    for strategy, scored in zip(agreement.strategies, evaluation.scored, strict=True):
        name = strategy.strategy
        cells = [name + (f"{style.separator}in-sample" if scored.in_sample else "")]
        for metric in metrics:
            mark = ("*" if name in best[metric] else "") + significance(agreement, name, metric)
            cells.append(style.figure(strategy.metrics[metric], mark=mark))
        if grouped:
            cells.append(style.figure(strategy.pooled["spearman"]))
        if counts:
            cells += [str(strategy.n), f"{strategy.coverage:.1%}"]
        table.add_row(*(Text(printable(cell, keep="\n")) for cell in cells))
    for cells in _human_row(evaluation, metrics, style):
        table.add_section()
        table.add_row(*(Text(printable(cell, keep="\n")) for cell in cells))
    return table


def _human_row(evaluation: Evaluation, metrics: Sequence[str], style: _Style) -> Iterator[list[str]]:
    """Yield the line of the annotators themselves, where they are kept."""
    reference = evaluation.agreement.human_reference
    if reference is not None and reference.human:
        yield ["human", *(style.figure(reference.human[metric]) for metric in metrics)]


class _Style(NamedTuple):
    """How figures are written."""

    separator: str
    digits: int

    def figure(self, value: Estimate, *, mark: str = "") -> str:
        """Return an estimate as text with its mark, and its interval where it has one."""
        if value.estimate is None:
            return "- "
        text = f"{figure(value.estimate)}{mark or ' '}"
        if value.low is None or value.high is None:
            return text
        return f"{text}{self.separator}[{self._bound(value.low)}, {self._bound(value.high)}]"

    def _bound(self, value: float) -> str:
        return re.sub(r"^(-?)0\.", r"\1.", figure(value, self.digits))
