"""The engine `submitit`: every worker is a job of its own on a Slurm cluster, submitted from here."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any

from ...data.cache.manifest import MANIFEST
from ...data.errors import LagerError
from ...data.import_path import safe_path
from ...data.machine import n_cores
from .engine import Ended, read_call
from .slurm_options import make_executor
from .slurm_queue import SlurmQueue

_WAIT_SECONDS = 0.5
_PATIENCE_SECONDS = 10.0
# A cluster that takes no job now may do so later.
_AGAIN_SECONDS = 30.0
# What tells a client where the cluster is; all other variables of Slurm belong to one job.
_OF_CLIENTS = frozenset(("SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT"))


class SubmititEngine:
    """Jobs that submitit writes and submits. Should this process be killed, they go on and finish the cache.

    submitit hands over a job's function and arguments, and its result, as pickles in a folder of its own, of which a
    cache is no part: what goes is the name of a function and a dict of JSON, what comes are numbers and lines.

    Parameters
    ----------
    n_workers : int, optional
        How many jobs; it has to be said.
    cache : Path
        The cache's folder.
    device : str, optional
        As for `lager.extract.model.judge.load_judge`.
    options : mapping
        What jobs ask for, see `lager.extract.engines.slurm_options.make_executor`.
    say : callable
        Takes each line that the user should see.

    Raises
    ------
    LagerError
        When submitit is not installed, there is no cluster, or an option is not as it must be.
    """

    def __init__(
        self, n_workers: int | None, *, cache: Path, device: str | None, options: Mapping[str, Any],
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        if n_workers is None:
            raise LagerError("--engine submitit: say with --workers N how many jobs to submit")
        self._executor = make_executor(options, cache=cache, device=device)
        self._cluster: str = self._executor.cluster
        self.n_workers, self._cache, self._say = n_workers, cache, say
        self._queue = SlurmQueue()
        self._jobs: dict[int, list[Any]] = {}  # of each worker; more where some were lost
        self._running: dict[int, Any] = {}
        self._unsaid: list[str] = []
        self._refused: list[tuple[float, Ended]] = []
        self._any_done = False

    def start(self, call: dict[str, Any]) -> None:
        """Submit a job."""
        rank = call["rank"]
        # With the cluster "debug" a job is run in this process, whose signals and variables are not a worker's to set.
        function = read_call if self._cluster == "debug" else read_in_job
        try:
            with _outside_of_jobs(), safe_path(), redirect_stderr(StringIO()):  # what sbatch says comes with the error
                job = self._executor.submit(function, call)
        except (OSError, RuntimeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            if rank in self._jobs:
                due = time.monotonic() + _AGAIN_SECONDS
                self._refused.append((due, Ended(rank, None, f"was not accepted: {reason}")))
                return
            raise LagerError(
                f"--engine submitit: a job was not accepted ({reason}); change with --slurm what it asks for"
            ) from None
        self._running[rank] = job
        self._jobs.setdefault(rank, []).append(job)
        self._unsaid.append(job.job_id)

    def ended(self) -> list[Ended]:
        """Return the workers that ended since the last time."""
        if self._unsaid:
            self._say(f"{self._cluster} jobs {', '.join(self._unsaid)}; logs are in {self._executor.folder}")
            self._unsaid.clear()
        found = [ended for due, ended in self._refused if due <= time.monotonic()]
        self._refused = [(due, ended) for due, ended in self._refused if ended not in found]
        states = self._queue.ended([job.job_id for job in self._running.values()]) if self._cluster == "slurm" else {}
        for rank, job in list(self._running.items()):
            ended = self._result(rank, job, states.get(job.job_id)) or self._needless(rank, job)
            if ended is not None:
                del self._running[rank]
                found.append(ended)
                self._any_done |= ended.result is not None and "error" not in ended.result
        if not found:
            time.sleep(_WAIT_SECONDS)
        return found

    def close(self) -> None:
        """Cancel what still waits or runs."""
        for job in self._running.values():
            with suppress(OSError):
                job.cancel(check=False)
        self._running.clear()
        jobs = [job for jobs in self._jobs.values() for job in jobs] if self._cluster == "local" else []
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not all(job.done() for job in jobs) and time.monotonic() < deadline:
            time.sleep(_WAIT_SECONDS / 5)

    def _result(self, rank: int, job: Any, state: str | None) -> Ended | None:
        """Return what a job came to, None while that is open.

        submitit's own `done` is not asked about Slurm: it calls `sacct`, which fails where there is no accounting, and
        may learn of a lost job only after ten minutes.
        """
        has_result = self._cluster == "debug"  # the job is done when it is asked for its result
        if not has_result:
            over = state is not None if self._cluster == "slurm" else job.done()
            has_result = job.paths.result_pickle.exists()
            if not (over or has_result):
                return None
        if has_result and job.exception() is None:
            return Ended(rank, job.result())
        how = "FAILED" if has_result else state or job.state
        return Ended(rank, None, f"ended as {how}: {self._cluster} job {job.job_id}, {job.paths.stderr}")

    def _needless(self, rank: int, job: Any) -> Ended | None:
        """Cancel a job that still waits for its turn, perhaps for hours, though others have read all."""
        if not (self._any_done and job.job_id in self._queue.pending and (self._cache / MANIFEST).exists()):
            return None
        job.cancel(check=False)
        return Ended(rank, {"rank": rank, "shards": 0, "items": 0})


@contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """Take away the variables of a job that this process may be in: others would inherit its place in an array."""
    names = [name for name in os.environ if name.startswith("SLURM_") and name not in _OF_CLIENTS]
    taken = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(taken)


def read_in_job(call: dict[str, Any]) -> dict[str, Any]:
    """Do what a call says, as `lager.extract.engines.engine.read_call` does, and end when the cluster says so.

    submitit would have a job go on at SIGTERM, and shortly before its time is over raise an error that looks like one
    of the shard which is being read.
    """
    import submitit

    signal.signal(getattr(signal, f"SIG{submitit.JobEnvironment.USR_SIG}"), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    cores = os.environ.get("SLURM_CPUS_ON_NODE") or str(max(1, n_cores() // call["world_size"]))
    os.environ.setdefault("OMP_NUM_THREADS", cores)  # torch is not loaded yet
    return read_call(call)


def _stop(number: int, frame: FrameType | None) -> None:
    """End so that this worker's record says so: others take its shards at once."""
    sys.exit(128 + number)
