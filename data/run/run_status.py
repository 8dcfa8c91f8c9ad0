"""How far a run is: what is written, what the workers do, what failed, how long it will take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from ..cache.manifest import MANIFEST, RUN, read_run
from ..errors import LagerError
from ..files.location import only_folder
from .worker_records import Failure, WorkerRecord, file_system_now, is_alive, read_failures, read_workers


class WorkerStatus(NamedTuple):
    """A worker, and whether it lives.

    Attributes
    ----------
    record : WorkerRecord
        What it says of itself.
    alive : bool
        Whether it can be believed: it has not ended and was heard of lately.
    """

    record: WorkerRecord
    alive: bool

    @property
    def items_per_second(self) -> float:
        """What it has read a second since it began."""
        return self.record.items_done / self.record.seconds if self.record.seconds > 0 else 0.0


class RunStatus(NamedTuple):
    """How far a run is.

    Attributes
    ----------
    items, shards : int
        All of them.
    items_done, shards_done : int
        Those that are written.
    running : tuple of int
        Shards that living workers read now.
    failed : tuple of Failure
        Shards that could not be read and are not there.
    workers : tuple of WorkerStatus
        By rank, the living and the dead.
    complete : bool
        Whether the manifest has been written.
    """

    items: int
    shards: int
    items_done: int
    shards_done: int
    running: tuple[int, ...]
    failed: tuple[Failure, ...]
    workers: tuple[WorkerStatus, ...]
    complete: bool

    @property
    def items_per_second(self) -> float:
        """Of all living workers together."""
        return sum(worker.items_per_second for worker in self.workers if worker.alive)

    @property
    def seconds_left(self) -> float | None:
        """Until the last item is read, None while that cannot be told."""
        left = self.items - self.items_done
        if not left:
            return 0.0
        return left / self.items_per_second if self.items_per_second else None

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        workers = [
            {**vars(worker.record), "alive": worker.alive, "items_per_second": worker.items_per_second}
            for worker in self.workers
        ]
        return {
            **self._asdict(),
            "running": list(self.running),
            "failed": [failure._asdict() for failure in self.failed],
            "workers": workers,
            "items_per_second": self.items_per_second,
            "seconds_left": self.seconds_left,
        }


def run_status(path: str | Path) -> RunStatus:
    """Look at a run, finished or not; nothing is read but names and the workers' records."""
    folder = only_folder(path)
    if not (folder / RUN).exists():
        raise LagerError(f"{folder} holds no run: it has no {RUN}; begin one with `lager extract`, or look at the path")
    run = read_run(folder)
    n_items, size = run["n_items"], run["shard_size"]
    n_shards = -(-n_items // size)
    there = {shard for shard in written_shards(folder) if shard < n_shards}
    now = file_system_now(folder)
    workers = tuple(WorkerStatus(record, is_alive(record, at, now=now)) for record, at in read_workers(folder))
    running = {worker.record.shard for worker in workers if worker.alive} - {None} - there
    return RunStatus(
        items=n_items,
        shards=n_shards,
        items_done=sum(min(size, n_items - shard * size) for shard in there),
        shards_done=len(there),
        running=tuple(sorted(shard for shard in running if shard is not None)),
        failed=tuple(failure for failure in read_failures(folder) if failure.shard not in there),
        workers=workers,
        complete=(folder / MANIFEST).exists(),
    )


def written_shards(folder: Path) -> set[int]:
    """Return the numbers of the shards that have a file, from one listing of their folder."""
    try:
        names = [entry.name for entry in os.scandir(folder / "shards")]
    except OSError:
        return set()
    stems = (name.removesuffix(".h5") for name in names if name.endswith(".h5"))
    return {int(stem) for stem in stems if stem.isdecimal()}
