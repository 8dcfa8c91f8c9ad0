"""Where commands print their tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PIPED_WIDTH = 120  # columns, where no terminal has a width of its own


def table_console() -> Console:
    """Return the standard output as wide as its terminal, or wide enough for tables where it is a file."""
    from rich.console import Console  # not when a command only asks for help

    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
