"""What an engine is: something that starts workers elsewhere and says when they have ended."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class Ended(NamedTuple):
    """A worker that has ended.

    Attributes
    ----------
    rank : int
        Which one.
    result : dict or None
        What it returned, see `lager.extract.engines.call.read_call`; None where it was lost.
    how : str
        How it was lost.
    """

    rank: int
    result: dict[str, Any] | None
    how: str = ""


class Engine(Protocol):
    """Starts workers. Each reads a share of the shards into the cache's folder, which all of them see."""

    n_workers: int

    def start(self, call: dict[str, Any]) -> None:
        """Start the worker of a call, whose ``rank`` may have been started and lost before."""

    def ended(self) -> list[Ended]:
        """Return the workers that ended since the last time; waits for a moment when there is none."""

    def close(self) -> None:
        """Stop what still runs."""
