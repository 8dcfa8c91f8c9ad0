"""What a user is told on stderr while work goes on: lines, and how much is done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal

Say = Callable[[str], None]  # takes each line that the user should see

_LINE_SECONDS = 30.0
_MIB = 1 << 20


def to_stderr(line: str) -> None:
    """Show a line on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def silent(line: str) -> None:
    """Show nothing, where a command is quiet."""


class Progress:
    """Counts what is done, from any thread: a bar on a terminal, elsewhere a line every half minute.

    Parameters
    ----------
    total : float
        What there is to do; 0 where it is not known.
    what : str
        What is being done, such as "reading".
    unit : {"items", "bytes", "share"}
        What is counted; a share of 1 is shown on terminals alone.
    done : int
        What an earlier run did: shown, not counted in the speed.
    shown : bool
        Whether anything is printed.
    """

    def __init__(
        self, total: float, *, what: str = "reading", unit: Literal["items", "bytes", "share"] = "items",
        done: int = 0, shown: bool = True,
    ) -> None:  # fmt: skip
        self.total, self.what, self.unit, self.shown = total, what, unit, shown
        self.done: float = done
        self._start_done = done
        self._start = self._last_line = time.monotonic()
        self._lock = threading.Lock()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        """Start the bar, on a terminal."""
        if self.shown and sys.stderr.isatty():
            from rich import progress as bars
            from rich.console import Console

            amount = {
                "items": (bars.MofNCompleteColumn(), bars.TextColumn("{task.fields[speed]}")),
                "bytes": (bars.DownloadColumn(), bars.TransferSpeedColumn()),
                "share": (),
            }[self.unit]
            title = bars.TextColumn("{task.description}", markup=False)
            columns = (title, bars.BarColumn(), *amount, bars.TimeRemainingColumn())
            self._bar = bars.Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=self.total or None, completed=self.done, speed="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    @property
    def speed(self) -> float:
        """What this run does in a second."""
        return (self.done - self._start_done) / max(time.monotonic() - self._start, 1e-9)

    def advance(self, n: float) -> None:
        """Count `n` more; fewer where something starts anew."""
        with self._lock:
            self.done += n
            self._show()

    def tell(self, what: str, done: float) -> None:
        """Show what is being done now, and how much of all is done."""
        with self._lock:
            self.what, self.done = what, done
            self._show()

    def _show(self) -> None:
        if self._bar is not None:
            speed = f"{self.speed:.1f} items/s"
            self._bar.update(self._task, description=self.what, completed=self.done, speed=speed)
        elif self.shown and self.unit != "share" and time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._last_line = time.monotonic()
            to_stderr(self._line())

    def _line(self) -> str:
        if self.unit == "bytes":
            of = f" of {self.total / _MIB:.0f}" if self.total else ""
            return f"{self.what}: {self.done / _MIB:.0f}{of} MiB"
        left = (self.total - self.done) / max(self.speed, 1e-9)
        return f"{self.done}/{self.total} items, {self.speed:.1f} items/s, {left:.0f} s left"
