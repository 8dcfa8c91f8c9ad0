"""Waiting for other people's clients: a call that does not come to its end is given up, and not waited for at exit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from .remote import UnreachableError

T = TypeVar("T")
#: A small file, or a question about one, arrives within this time, and so does each block of a large one.
SECONDS = 120.0
_LOOK_SECONDS = 0.2


def in_time(
    call: Callable[[], T], *, what: str, stop: threading.Event | None = None, seconds: float | None = None
) -> T:
    """Return what a call returns, or raise `UnreachableError` after `seconds` (`SECONDS`), or when `stop` is set.

    The call goes on in a thread that nothing waits for: clients have no total deadline, and a server that sends a byte
    now and then would hold them for ever, Ctrl-C too.
    """
    answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:
            answers.put((None, error))

    allowed = SECONDS if seconds is None else seconds
    end = time.monotonic() + allowed
    threading.Thread(target=run, daemon=True, name="lager-remote").start()
    while stop is None or not stop.is_set():
        try:
            answer, error = answers.get(timeout=max(0.0, min(_LOOK_SECONDS, end - time.monotonic())))
        except Empty:
            if time.monotonic() < end:
                continue
            raise UnreachableError(f"{what}: no answer in {allowed:.3g} s") from None
        if error is None:
            return answer
        try:
            raise error
        finally:
            del error  # which holds this frame, and through it what the call had open
    raise UnreachableError(f"{what}: stopped")


def each_in_time(blocks: Iterator[T], *, what: str, stop: threading.Event) -> Iterator[T]:
    """Yield what an iterator yields, each within `SECONDS` of the one before; see `in_time`."""
    end = object()
    try:
        while (block := in_time(lambda: next(blocks, end), what=what, stop=stop)) is not end:
            yield block  # type: ignore[misc]
    finally:
        with suppress(AttributeError, ValueError):  # no generator, or one that is being waited for
            blocks.close()  # type: ignore[attr-defined]
