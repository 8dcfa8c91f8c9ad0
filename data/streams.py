"""Standard output and error: text from others made safe to show there, and streams that are gone, closed or full."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from .errors import LagerError
from .safe_text import printable

# What tables and progress bars send to a terminal: colours, carriage return, erase line, cursor up, hide the cursor.
_OWN = re.compile(r"(\r|\x1b\[[\d;]*m|\x1b\[\d?K|\x1b\[\d*A|\x1b\[\?25[lh])")


class SafeStream:
    r"""A text stream that shows control characters as escapes, but for line breaks, tabs and, on a terminal, colours.

    JSON that is written keeps its meaning: such characters occur only in its strings, where the escapes are equal.

    Where nobody reads any more (``| head -1``), the rest is dropped and the command goes on, as it may write files.

    Parameters
    ----------
    stream : file object
        Where text goes.
    result : bool
        Whether this is what was asked for, and not only told beside it: then a full disk is an error.
    """

    def __init__(self, stream: TextIO, *, result: bool = False) -> None:
        self._stream, self._result = stream, result
        self._is_terminal = stream.isatty()

    def write(self, text: str) -> int:
        """Write text."""
        if not text.isprintable():
            parts = _OWN.split(text) if self._is_terminal else [text]
            parts[::2] = [printable(part, keep="\n\t") for part in parts[::2]]
            text = "".join(parts)
        return self._while_open(self._stream.write, text) or len(text)

    def flush(self) -> None:
        """Send what was written."""
        self._while_open(self._stream.flush)

    def _while_open(self, send: Callable[..., int | None], *arguments: str) -> int | None:
        try:
            return send(*arguments)
        except OSError as error:
            if self._result and error.errno != errno.EPIPE:
                raise LagerError(f"cannot write to standard output: {error.strerror}") from None
            self.drop()
            return None

    def drop(self) -> None:
        """Send to nowhere what is in the buffer still, and what follows."""
        with suppress(OSError):  # a stream without a descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

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
    _open_closed()
    before = sys.stdout, sys.stderr
    out = SafeStream(sys.stdout, result=True)
    sys.stdout, sys.stderr = out, SafeStream(sys.stderr)
    try:
        yield
    finally:
        try:
            out.flush()
        except LagerError:  # told already; the interpreter would try again at its end
            out.drop()
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    """Open standard streams that are closed (``>&-``), or a file of ours would take their place and be written to."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False))
