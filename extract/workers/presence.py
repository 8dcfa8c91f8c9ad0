"""A worker's presence in a run: its record with a heartbeat, the shards it takes, and those that fail."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Collection, Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ...data.cache.manifest import MANIFEST, shard_name
from ...data.errors import LagerError
from ...data.run.cache_writer import check_still_there
from ...data.run.run_status import written_shards
from ...data.run.worker_records import (
    BEAT_SECONDS,
    WorkerRecord,
    file_system_now,
    forget_failure,
    make_folders,
    read_failures,
    record_failure,
    remove_records,
    this_machine,
)
from .claims import Claims
from .ranks import ALONE, Rank

POLL_SECONDS = 1.0
_LOOKED_INTO = 16
# Others rarely take one of a worker's own shards, so among these it looks less often at what they did, by this factor.
_OWN_PAUSES = 5
_REASON_CHARACTERS = 300


class Presence:
    """One worker of a run; a context manager, in which its record is kept fresh.

    Parameters
    ----------
    cache : Path
        The cache's folder, in which the run has been started.
    rank : Rank
        Which worker this is.
    devices : sequence of str
        What it reads with.
    max_failures : int
        The run ends when more shards than this have failed, over all workers.

    Attributes
    ----------
    record : WorkerRecord
        What others see of it.
    redo : set of int
        Shards whose file does not count: it is damaged, or holds other prompts.
    """

    def __init__(self, cache: Path, *, rank: Rank = ALONE, devices: Sequence[str] = (), max_failures: int = 0) -> None:
        self.cache, self.max_failures = cache, max_failures
        self.record = WorkerRecord(
            worker=f"{rank.rank:05d}-{secrets.token_hex(4)}",
            rank=rank.rank,
            world_size=rank.world_size,
            host=socket.gethostname(),
            pid=os.getpid(),
            machine=this_machine(),
            devices=list(devices),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self.redo: set[int] = set()
        self._taken: dict[int, None] = {}  # claimed and not written yet, in this order
        self.claims = Claims(cache, self.record.worker)
        self._clock = time.monotonic()
        self._over = threading.Event()
        self._beat = threading.Thread(target=self._keep_fresh, name="lager-heartbeat", daemon=True)

    def __enter__(self) -> Presence:
        """Write the record and begin to renew it."""
        make_folders(self.cache)
        self._began = file_system_now(self.cache)
        self.record.write(self.cache)
        self._beat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the last record; others may then take the shards that this worker still claims."""
        self._over.set()
        self._beat.join()
        self._say("finished" if error is None else "stopped")
        if (self.cache / MANIFEST).exists():  # this worker came after the run was finished
            remove_records(self.cache)

    def take(self, order: Sequence[int], *, own: Collection[int] | None = None) -> Generator[int]:
        """Claim one shard after the other and yield it, until each is there, has failed, or was yielded.

        A shard that another worker reads is waited for; if that worker dies, it is taken over. A shard that was yielded
        stays claimed until `written` is called for it, or `release` for all: it may be written after the last one was
        yielded.
        """
        left, own = list(order), order if own is None else own
        # With more workers each looks less often at what the others did: one folder serves them all.
        pause = max(POLL_SECONDS, self.record.world_size / 20)
        while left:
            self._stay()
            gone = (written_shards(self.cache) - self.redo) | self.failed() | set(self._taken)
            left = [shard for shard in left if shard not in gone]
            held, listed = self.claims.held(), time.monotonic()
            claimed = [shard for shard in left if claim_name(shard) in held]
            tries = [shard for shard in left if claim_name(shard) not in held]
            # A claim may be a dead worker's. Only a few are looked into: thousands of workers must not ask for all.
            tries += random.sample(claimed, min(len(claimed), _LOOKED_INTO))
            taken = 0
            for shard in tries:
                if time.monotonic() - listed > pause * (_OWN_PAUSES if shard in own else 1):
                    break  # and look again
                if not self.claims.take(claim_name(shard)):
                    continue
                if self._is_there(shard):
                    self.claims.drop(claim_name(shard))
                    continue
                taken += 1
                self._taken[shard] = None
                self._say("reading", shard)
                yield shard
            if left and not taken and time.monotonic() - listed < pause:
                self._say("waiting")
                time.sleep(pause)
        self._say("waiting")

    def release(self) -> None:
        """Give up the claims on shards that were taken and are not written, after reading or writing failed."""
        for shard in list(self._taken):
            self._drop(shard)

    def _stay(self) -> None:
        """Make the folder of records again if it is gone: a worker with nothing to do takes the run for finished."""
        if not self.claims.folder.exists():
            check_still_there(self.cache)
            make_folders(self.cache)
            self._write()

    def _is_there(self, shard: int) -> bool:
        """Return whether a shard has a file that counts."""
        return shard not in self.redo and (self.cache / shard_name(shard)).exists()

    def written(self, shard: int, n_items: int) -> None:
        """Count a shard of `n_items` that is there now, and give up its claim; any thread may call this."""
        self.redo.discard(shard)
        self.record.shards_done += 1
        self.record.items_done += n_items
        forget_failure(self.cache, shard)
        self._drop(shard)
        self._write()

    def _drop(self, shard: int) -> None:
        """Give up the claim on a shard."""
        self.claims.drop(claim_name(shard))
        self._taken.pop(shard, None)

    def failed(self) -> set[int]:
        """Return the shards that failed since this worker began; what failed in an earlier run is tried again."""
        return {failure.shard for failure in read_failures(self.cache) if failure.at >= self._began}

    def give_up(self, error: Exception) -> int:
        """Record that the first shard which was taken and is not written has failed, and return its number.

        `Exception` the error itself, when no failures are allowed, or the shard was written and it is about
        something else.
        """
        shard = next(iter(self._taken), None)
        if not self.max_failures or shard is None or self._is_there(shard):
            raise error
        record_failure(self.cache, shard, reason=reason_of(error), worker=self.record.worker)
        if len(self.failed()) > self.max_failures:
            raise LagerError(
                f"{len(self.failed())} shards failed, more than --max-failures {self.max_failures}; the last one, "
                f"shard {shard}: {reason_of(error)}; `lager cache status {self.cache}` lists them"
            ) from error
        return shard

    def _say(self, state: str, shard: int | None = None) -> None:
        """Tell others what this worker does."""
        self.record.state, self.record.shard = state, shard
        self._write()

    def _write(self) -> None:
        """Write the record."""
        self.record.seconds = round(time.monotonic() - self._clock, 3)
        with contextlib.suppress(OSError):  # a full disk is told when a shard is written
            self.record.write(self.cache)

    def _keep_fresh(self) -> None:
        """Write the record again and again, so that others see that this worker lives."""
        while not self._over.wait(BEAT_SECONDS):
            self._write()


def claim_name(shard: int) -> str:
    """Return the name of the claim on a shard."""
    return f"{shard:05d}"


def reason_of(error: Exception) -> str:
    """Return an error as one line; what a library says beyond its first line is left out."""
    lines = str(error).strip().splitlines()
    text = (lines[0] if lines else "")[:_REASON_CHARACTERS]
    return text if isinstance(error, LagerError) else f"{type(error).__name__}: {text}"
