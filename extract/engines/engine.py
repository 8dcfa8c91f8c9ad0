"""What an engine is: something that starts workers elsewhere and says when they have ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ...data.errors import LagerError
from ..model.judge import Judge
from ..options.groups import ExtractOptions
from ..options.option import as_json, make


class Ended(NamedTuple):
    """A worker that has ended.

    Attributes
    ----------
    rank : int
        Which one.
    result : dict or None
        What it returned, see `lager.extract.engines.engine.read_call`; None where it was lost.
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


def make_call(model: object, items: object, *, cache: Path, options: ExtractOptions) -> dict[str, Any]:
    """Return the arguments of `lager.extract.run.worker.run_worker` as JSON, but for the rank."""
    if isinstance(model, Judge) or not isinstance(items, str | Path):
        what = "model" if isinstance(model, Judge) else "items"
        raise LagerError(f"several workers each read the {what} from files: give a path, not {what} in memory")
    plain = as_json(options)
    if plain["template"] is not None:
        plain["template"] = _absolute(plain["template"])
    prefix, sign, path = str(items).rpartition("=") if str(items).startswith("benchmark:") else ("", "", str(items))
    return {
        "model": _absolute(str(model)),
        "items": f"{prefix}{sign}{_absolute(path)}",
        "cache": str(cache.absolute()),
        "options": plain,
    }


def _absolute(path: str) -> str:
    """Return the path of what exists so that it holds in any folder; other names, such as a hub id, as they are."""
    return str(Path(path).absolute()) if Path(path).exists() else path


def read_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a call says, as one worker, and return what was done: numbers only."""
    from ..run.worker import run_worker
    from ..workers.ranks import Rank

    rank = Rank(call["rank"], call["world_size"], "the engine")
    try:
        done = run_worker(
            call["model"], call["items"], cache=Path(call["cache"]), options=make(ExtractOptions, call["options"]),
            rank=rank, wait=False, quiet=rank.rank > 0,
        )  # fmt: skip
    except LagerError as error:
        return {"rank": rank.rank, "error": str(error)}
    return {"rank": rank.rank, "shards": done.shards, "items": done.items, "report": list(done.report)}
