"""What a transfer says on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any

_LINE_SECONDS = 30.0
_MIB = 1 << 20


def say(line: str, *, shown: bool = True) -> None:
    """Print a line on stderr, when lines are shown."""
    if shown:
        print(line, file=sys.stderr, flush=True)


class ByteProgress:
    """Counts bytes, from any thread.

    Parameters
    ----------
    what : str
        What is done, such as "pulling".
    total : int
        Bytes to do; 0 where it is not known.
    shown : bool
        Whether anything is printed.
    """

    def __init__(self, what: str, total: int, *, shown: bool = True) -> None:
        self.what, self.total, self.done = what, total, 0
        self._lock = threading.Lock()
        self._last_line = time.monotonic()
        self._shown = shown
        self._bar: Any = None

    def __enter__(self) -> ByteProgress:
        """Start the bar, on a terminal."""
        if self._shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
            from rich.progress import TransferSpeedColumn as Speed

            columns = (TextColumn(self.what), BarColumn(), DownloadColumn(), Speed(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=self.total or None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def advance(self, n: int) -> None:
        """Count `n` more bytes; fewer where a file starts anew."""
        with self._lock:
            self.done += n
            if self._bar is not None:
                self._bar.update(self._task, completed=self.done)
            elif self._shown and time.monotonic() - self._last_line > _LINE_SECONDS:
                self._last_line = time.monotonic()
                of = f" of {self.total / _MIB:.0f}" if self.total else ""
                say(f"{self.what}: {self.done / _MIB:.0f}{of} MiB")
