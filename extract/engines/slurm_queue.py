"""What Slurm's queue says of this user's jobs: `squeue` also answers where no accounting is, and `sacct` fails."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Collection

# A controller serves many users, so it is not asked more often.
_ASK_SECONDS = 10.0
_PATIENCE_SECONDS = 120.0
# From these states no job comes back by itself; one that is requeued has another state within moments.
_ENDED = frozenset(
    ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
     "TIMEOUT")
)  # fmt: skip
_GONE = "unknown to squeue"


class SlurmQueue:
    """Asks now and then which jobs have ended.

    Attributes
    ----------
    pending : set of str
        Of the jobs asked for, those that had not begun at the last answer.
    """

    def __init__(self) -> None:
        self.pending: set[str] = set()
        self._asked = time.monotonic()
        self._before: set[str] = set()

    def ended(self, jobs: Collection[str]) -> dict[str, str]:
        """Return those of the jobs that had ended when the queue was asked the time before and still have, with states.

        Twice, because files that a job wrote may be seen later than its end, and because a job that is requeued may
        look ended for a moment. Most of the time the queue is not asked, and the result is empty.
        """
        if not jobs or time.monotonic() - self._asked < _ASK_SECONDS:
            return {}
        states = job_states()
        self._asked = time.monotonic()
        if states is None:
            return {}
        self.pending = {job for job in jobs if states.get(job) == "PENDING"}
        ended = {job: states.get(job, _GONE) for job in jobs if has_ended(states.get(job))}
        before, self._before = self._before, set(ended)
        return {job: state for job, state in ended.items() if job in before}


def job_states() -> dict[str, str] | None:
    """Return the states of this user's jobs by their numbers, of ended ones for some minutes; None for no answer."""
    command = ["squeue", "--noheader", "--states=all", f"--user={os.getuid()}", "--format=%i|%T"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}  # filters
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    pairs = (line.strip().partition("|") for line in done.stdout.splitlines())
    return {number: state for number, _, state in pairs}


def has_ended(state: str | None) -> bool:
    """Return whether a job of a state has ended; None is the state of one that Slurm does not know any more."""
    return state is None or state in _ENDED
