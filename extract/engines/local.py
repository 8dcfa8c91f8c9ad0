"""The engine `local`: worker processes on this machine, one for each GPU or as many as are asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

from ...data.import_path import SAFE_PATH, import_path
from ...data.machine import n_cores
from .engine import Ended

_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 10.0
_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from lager.extract.engines.local import main; main()"


class LocalEngine:
    """Worker processes on this machine, each with its part of the processor cores and GPUs.

    Parameters
    ----------
    n_workers : int
        How many.
    gpus : list of str
        The GPUs to share out, as in CUDA_VISIBLE_DEVICES.
    """

    def __init__(self, n_workers: int, *, gpus: list[str]) -> None:
        self.n_workers, self.gpus = n_workers, gpus
        self._processes: dict[int, subprocess.Popen[str]] = {}

    def start(self, call: dict[str, Any]) -> None:
        """Start a process and give it its orders; it ends when this process does."""
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, json.dumps(import_path())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._environment(call["rank"]),
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps(call) + "\n")
        process.stdin.flush()
        self._processes[call["rank"]] = process

    def ended(self) -> list[Ended]:
        """Return the workers that ended since the last time."""
        ended = [rank for rank, process in self._processes.items() if process.poll() is not None]
        if not ended:
            time.sleep(_LOOK_SECONDS)
        return [self._result(rank) for rank in ended]

    def close(self) -> None:
        """Stop what still runs: gently first."""
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
        self._processes.clear()

    def _result(self, rank: int) -> Ended:
        """Return what a process that ended printed, or how it was lost."""
        process = self._processes.pop(rank)
        out, _ = process.communicate()
        if process.returncode or not out.strip():
            code = process.returncode
            return Ended(rank, None, f"ended by signal {-code}" if code < 0 else f"ended with code {code}")
        return Ended(rank, json.loads(out.splitlines()[-1]))

    def _environment(self, rank: int) -> dict[str, str]:
        """Return the variables of a worker: its part of the cores and GPUs."""
        environment = {**os.environ, SAFE_PATH: "1"}
        environment.setdefault("OMP_NUM_THREADS", str(max(1, n_cores() // self.n_workers)))
        if self.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(share_of(self.gpus, rank, self.n_workers))
        return environment


def share_of(gpus: list[str], rank: int, n_workers: int) -> list[str]:
    """Return a worker's GPUs: an even part, or one of them in turn where there are more workers."""
    if n_workers > len(gpus):
        return [gpus[rank % len(gpus)]]
    return gpus[rank * len(gpus) // n_workers : (rank + 1) * len(gpus) // n_workers]


def visible_gpus() -> list[str]:
    """Return the GPUs that this process sees, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    n = torch.cuda.device_count()
    return named if len(named) == n else [str(number) for number in range(n)]


_INTERRUPTED = 130


def main() -> None:
    """Read the orders, carry them out and print the result."""
    result = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints
    call = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, name="lager-parent", daemon=True).start()

    from .engine import read_call

    try:
        print(json.dumps(read_call(call)), file=result, flush=True)
    except KeyboardInterrupt:  # the terminal tells every process; the one that started this one speaks for all
        sys.exit(_INTERRUPTED)


def _end_with_parent() -> None:
    """End when the parent has: its end of the pipe closes then. What is written so far is whole."""
    sys.stdin.read()
    os._exit(1)
