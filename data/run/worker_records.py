"""Files in which the workers of a run tell each other who they are, what they do, and which shards failed.

    CACHE/workers/NAME.json           a worker's record, written again every few seconds while it lives
    CACHE/workers/claims/00012        the name of the worker that reads shard 12
    CACHE/workers/failed/00012.json   why shard 12 could not be read

They are not part of the cache, and a complete cache has no such folder.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import cannot_write

WORKERS = "workers"
CLAIMS = "claims"
FAILED = "failed"
# A worker writes its record this often; when it was not written for several times as long, the worker counts as dead.
BEAT_SECONDS = 15.0
STALE_SECONDS = 4 * BEAT_SECONDS
_MAX_BYTES = 1 << 16
_TRIES = 5
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("worker", "host", "machine", "started", "state"), str),
    **dict.fromkeys(("rank", "world_size", "pid", "shards_done", "items_done"), int),
    "devices": list,
    "seconds": (int, float),
}


@dataclass
class WorkerRecord:
    """One worker of a run, as it describes itself.

    Parameters
    ----------
    worker : str
        Its name, unique in the run.
    rank, world_size : int
        Its place among the workers.
    host, pid : str, int
        Where it runs.
    machine : str
        Where its process id is valid, see `this_machine`; empty where that is not known.
    devices : list of str
        What it reads with.
    started : str
        When, in UTC.
    state : {"starting", "reading", "waiting", "finished", "stopped"}
        What it does; "waiting" when all remaining shards are claimed by other workers.
    shard : int or None
        What it reads now.
    shards_done, items_done : int
        How many it has written.
    seconds : float
        Time since it began to read.
    """

    worker: str
    rank: int
    world_size: int
    host: str
    pid: int
    machine: str
    devices: list[str]
    started: str
    state: str = "starting"
    shard: int | None = None
    shards_done: int = 0
    items_done: int = 0
    seconds: float = 0.0

    def write(self, cache: Path) -> None:
        """Write the record; not when its folder is gone, as the run is complete then."""
        _replace_text(cache / WORKERS / f"{self.worker}.json", json.dumps(asdict(self)))


class Failure(NamedTuple):
    """A shard that could not be read.

    Attributes
    ----------
    shard : int
    reason : str
        What went wrong; it quotes no prompt.
    worker : str
        Who tried.
    at : float
        When, in seconds since 1970 on the file system's clock.
    """

    shard: int
    reason: str
    worker: str
    at: float


def make_folders(cache: Path) -> None:
    """Make the folders of records, claims and failures in a cache's folder; nothing where that is gone."""
    for _ in range(_TRIES):  # another worker may take them away at the same time
        try:
            for name in ("", CLAIMS, FAILED):
                (cache / WORKERS / name).mkdir(exist_ok=True)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise cannot_write(cache, error) from None
        return


def _replace_text(path: Path, text: str) -> None:
    """Replace a file in one step; it is not synced, as losing it in a crash does no harm."""
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except FileNotFoundError:
        pass


def read_workers(cache: Path) -> list[tuple[WorkerRecord, float]]:
    """Return every worker's record and when it was written, by name; other files are ignored."""
    found = []
    for path in sorted((cache / WORKERS).glob("*.json")):
        record, at = _read(path)
        if record is not None and (worker := _as_record(record)) is not None:
            found.append((worker, at))
    return found


def read_worker(cache: Path, name: str) -> tuple[WorkerRecord, float] | None:
    """Return one worker's record and when it was written, None where there is none."""
    record, at = _read(cache / WORKERS / f"{Path(name).name}.json")
    worker = None if record is None else _as_record(record)
    return None if worker is None else (worker, at)


def is_alive(worker: WorkerRecord, written: float, *, now: float) -> bool:
    """Return whether a worker still lives: it has not ended, and wrote its record lately."""
    if worker.state in {"finished", "stopped"}:
        return False
    if worker.machine and worker.machine == this_machine() and not _runs(worker.pid):
        return False
    return now - written < STALE_SECONDS


def record_failure(cache: Path, shard: int, *, reason: str, worker: str) -> None:
    """Write down that a shard could not be read."""
    text = json.dumps({"shard": shard, "reason": reason, "worker": worker})
    _replace_text(cache / WORKERS / FAILED / f"{shard:05d}.json", text)


def read_failures(cache: Path) -> list[Failure]:
    """Return the shards that could not be read, by number."""
    failures = []
    for path in (cache / WORKERS / FAILED).glob("*.json"):
        record, at = _read(path)
        if record is not None and isinstance(record.get("shard"), int):
            failures.append(Failure(record["shard"], str(record.get("reason")), str(record.get("worker")), at))
    return sorted(failures)


def forget_failure(cache: Path, shard: int) -> None:
    """Remove the record of a failure, when the shard was read after all."""
    (cache / WORKERS / FAILED / f"{shard:05d}.json").unlink(missing_ok=True)


def remove_records(cache: Path) -> None:
    """Remove all records of workers; a complete cache needs none."""
    shutil.rmtree(cache / WORKERS, ignore_errors=True)


def file_system_now(cache: Path) -> float:
    """Return the time by the clock of the cache's file system, which may differ from this machine's."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".", suffix=".tmp", dir=cache / WORKERS) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # read-only, or gone
        return time.time()


def this_machine() -> str:
    """Return what is equal for processes that can see each other's ids: the kernel's boot, and the pid namespace."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _read(path: Path) -> tuple[dict[str, Any] | None, float]:
    """Return a small JSON object and when it was written; None where the file is gone or holds something else."""
    try:
        with path.open(encoding="utf-8") as file:
            at = os.fstat(file.fileno()).st_mtime
            record = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None, 0.0
    return (record if isinstance(record, dict) else None), at


def _as_record(record: dict[str, Any]) -> WorkerRecord | None:
    if not all(isinstance(record.get(name), kind) for name, kind in _KINDS.items()):
        return None
    if not isinstance(record.get("shard"), int | None):
        return None
    return WorkerRecord(**{field.name: record[field.name] for field in fields(WorkerRecord)})


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
