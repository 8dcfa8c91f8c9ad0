"""Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any

_LINE_SECONDS = 30.0


class ItemProgress:
    """Counts items; shows items per second and the time left.

    Parameters
    ----------
    total : int
        Items to do.
    done : int
        Items done by an earlier run: shown, not counted in the speed.
    shown : bool
        Whether anything is printed.
    """

    def __init__(self, total: int, *, done: int = 0, shown: bool = True) -> None:
        self.total, self.done, self.shown = total, done, shown
        self._start_done = done
        self._start = self._last_line = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> ItemProgress:
        """Start the bar, on a terminal."""
        if self.shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"),
                       TimeRemainingColumn())  # fmt: skip
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("reading", total=self.total, completed=self.done, speed="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    @property
    def speed(self) -> float:
        """Items per second of this run."""
        return (self.done - self._start_done) / max(time.monotonic() - self._start, 1e-9)

    def advance(self, n: int) -> None:
        """Count `n` more items."""
        self.done += n
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, speed=f"{self.speed:.1f} items/s")
        elif self.shown and time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._last_line = time.monotonic()
            left = (self.total - self.done) / max(self.speed, 1e-9)
            sys.stderr.write(f"{self.done}/{self.total} items, {self.speed:.1f} items/s, {left:.0f} s left\n")
            sys.stderr.flush()


def to_stderr(line: str) -> None:
    """Say a line to the user."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def silent(line: str) -> None:
    """Say nothing."""


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
