"""The engine `ray`: actors on a Ray cluster, each with its GPUs, that write into a folder which all nodes see."""

from __future__ import annotations

import os
from typing import Any

from ...data.errors import LagerError
from ...data.import_path import safe_path_of_ray
from ...data.machine import silent_port
from .engine import Ended

_WAIT_SECONDS = 0.5


class RayEngine:
    """Actors on the cluster at RAY_ADDRESS, or on a new one on this machine where nothing says another.

    Parameters
    ----------
    n_workers : int, optional
        How many; one for each GPU of the cluster when None, or for each node where there are no GPUs.
    device : str, optional
        As for `lager.extract.model.judge.load_judge`: ``cpu`` asks for no GPUs, ``auto`` for an even part of them.

    Raises
    ------
    LagerError
        When Ray is not installed, or no cluster answers.
    """

    def __init__(self, n_workers: int | None = None, *, device: str | None = None) -> None:
        try:
            import ray
        except ImportError:
            raise LagerError("--engine ray needs an extra: pip install 'lager[ray]'") from None
        self._ray: Any = ray
        self._own = not ray.is_initialized()
        if self._own:
            _connect(ray)
        gpus = 0 if device == "cpu" else int(ray.cluster_resources().get("GPU", 0))
        self.n_workers = n_workers or gpus or sum(node["Alive"] for node in ray.nodes())
        self._gpus = gpus_of_worker(gpus, self.n_workers, spread=device == "auto")
        self._running: dict[Any, tuple[int, Any]] = {}

    def start(self, call: dict[str, Any]) -> None:
        """Make an actor and give it its orders."""
        actor = self._ray.remote(num_cpus=1, num_gpus=self._gpus)(Reader).remote()
        self._running[actor.read.remote(call)] = call["rank"], actor

    def ended(self) -> list[Ended]:
        """Return the workers that ended since the last time."""
        done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=_WAIT_SECONDS)
        return [self._result(reference) for reference in done]

    def close(self) -> None:
        """Stop what still runs, and leave the cluster, or end it if it was made here."""
        for _, actor in self._running.values():
            self._ray.kill(actor)
        self._running.clear()
        if self._own:
            self._ray.shutdown()

    def _result(self, reference: Any) -> Ended:
        """Return what an actor returned, or how it was lost, and end it."""
        rank, actor = self._running.pop(reference)
        try:
            return Ended(rank, self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            return Ended(rank, None, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
        finally:
            self._ray.kill(actor)


def gpus_of_worker(n_gpus: int, n_workers: int, *, spread: bool) -> float:
    """Return how many GPUs an actor asks for: a part of one where there are more workers than GPUs.

    `spread` asks for an even part of all, for models that one GPU does not hold.
    """
    if not n_gpus:
        return 0
    if n_workers > n_gpus:
        return 1 / -(-n_workers // n_gpus)  # no part of a GPU is left over, so all workers run at once
    return n_gpus // n_workers if spread else 1


def _connect(ray: Any) -> None:
    """Join the cluster at RAY_ADDRESS, or make one on this machine."""
    address = os.environ.get("RAY_ADDRESS")
    reason: object = silent_port(address)
    try:
        if reason is None:
            with safe_path_of_ray():
                ray.init(**({} if address else {"include_dashboard": False}), logging_level="error", log_to_driver=True)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = error
    if reason is not None:
        line = (str(reason).splitlines() or [type(reason).__name__])[0]
        raise LagerError(
            f"--engine ray: no cluster answers at RAY_ADDRESS={address} ({line}); start one with `ray start --head`, "
            "or unset it"
        )


class Reader:
    """An actor: one worker of a run."""

    def read(self, call: dict[str, Any]) -> dict[str, Any]:
        """Carry out a worker's orders."""
        from .engine import read_call

        return read_call(call)
