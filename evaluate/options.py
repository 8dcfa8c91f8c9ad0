"""Options that several commands here share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

#: Strategies that need no fitting; `DEFAULT_STRATEGIES` where none is given.
UnfittedStrategies = Annotated[
    list[str] | None, typer.Option("--strategy", help="Without fitting; may be given again. (default: e-score, lager)")
]
DEFAULT_STRATEGIES = ("e-score", "lager")
AggregatorFiles = Annotated[
    list[Path] | None, typer.Option("--aggregator", help="Aggregator file; may be given again.")
]
Resamples = Annotated[int, typer.Option(min=0, help="Bootstrap resamples for the intervals; 0 for none.")]
Raters = Annotated[
    str | None,
    typer.Option("--raters", help="Columns of --scores, with commas, each one rater's scores; blanks allowed."),
]
Force = Annotated[bool, typer.Option("--force", help="Apply an aggregator of other read-outs anyway.")]
Raw = Annotated[
    bool, typer.Option("--raw", help="CSV cells that a spreadsheet takes for formulas (=, +, -, @ first) as they are.")
]
FiguresAsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
