"""A net under everything that is printed: what data brings along does not steer the terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from .printable import printable

# What tables and progress bars need on a terminal: colours, to the start of the line, erase it, up, hide the cursor.
_OWN = re.compile(r"(\r|\x1b\[[\d;]*m|\x1b\[\d?K|\x1b\[\d*A|\x1b\[\?25[lh])")


class SafeStream:
    r"""A text stream that shows control characters as escapes, but for line breaks, tabs and, on a terminal, colours.

    What is JSON stays the same JSON: there such characters stand in text only, where the escapes mean the same.

    Parameters
    ----------
    stream : file object
        Where text goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()

    def write(self, text: str) -> int:
        """Write text."""
        if not text.isprintable():
            parts = _OWN.split(text) if self._is_terminal else [text]
            parts[::2] = [printable(part, keep="\n\t") for part in parts[::2]]
            text = "".join(parts)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own."""
        return getattr(self._stream, name)


@contextmanager
def safe_streams() -> Iterator[None]:
    """Put a `SafeStream` before standard output and standard error."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = SafeStream(sys.stdout), SafeStream(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
