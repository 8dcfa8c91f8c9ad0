"""A cache that may be changed in its place: not a copy of another one, and not being extracted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..cache.manifest import RUN, read_run
from ..errors import LagerError
from ..run.run_status import run_status


def own_run(folder: Path, *, to: str) -> dict[str, Any]:
    """Return the record of the run that made a cache.

    `to` says what is wanted, for the message: "drop items". Raises `LagerError` for a copy, and for a cache that is
    being extracted.
    """
    if not (folder / RUN).exists():
        raise LagerError(
            f"cache {folder} is a copy of another one: {to} where that was extracted, push it anew, and remove this "
            "folder"
        )
    refuse_extracting(folder)
    return read_run(folder)


def refuse_extracting(folder: Path) -> None:
    """Raise `LagerError` while a worker extracts into a cache."""
    if living := [worker.record for worker in run_status(folder).workers if worker.alive]:
        raise LagerError(
            f"process {living[0].pid} on {living[0].host} extracts into {folder}: wait for its end, or end it first"
        )
