"""A worker in a job that submitit runs."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

from ...data.shard_facts import n_cores
from .call import read_call


def read_in_job(call: dict[str, Any]) -> dict[str, Any]:
    """Do what a call says, as `lager.extract.engines.call.read_call` does, and end when the cluster says so.

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
