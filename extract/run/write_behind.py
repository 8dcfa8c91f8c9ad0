"""Shards are written by a thread of their own while the device reads the next one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType


class WriteBehind(AbstractContextManager["WriteBehind"]):
    """Writes one shard at a time, in the order in which they come; at most one is held while it waits for its turn.

    Compressing, hashing and syncing a shard take some milliseconds, seconds where it holds hidden states, in which the
    device would have nothing to do. An error in writing is raised when the next shard comes, or at the block's end.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lager-write")
        self._pending: Future[None] | None = None

    def submit(self, write: Callable[[], None]) -> None:
        """Wait for the shard before, and have this one written.

        `Exception` what went wrong with the shard before; this one is not written then.
        """
        self.wait()
        self._pending = self._thread.submit(write)

    def wait(self) -> None:
        """Wait until everything is written, and raise what went wrong."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is being written, also where reading failed: it was read whole."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()
