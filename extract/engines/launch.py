"""Choosing who reads: this process alone, this process as one of several workers, or the workers of an engine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ...data.cache.manifest import MANIFEST
from ...data.errors import LagerError
from ...data.items.lazy_items import ItemSource
from ...data.progress import Say, silent, to_stderr
from ..model.judge import Judge, require_extra
from ..options.groups import ExtractOptions, WorkerOptions
from ..run.worker import run_worker
from ..workers.ranks import ALONE, Rank, find_rank
from .engine import Engine, make_call

ENGINES = ("local", "ray", "submitit")


def run_extraction(
    model: str | Path | Judge,
    items: str | Path | ItemSource,
    *,
    cache: str | Path,
    options: ExtractOptions,
    workers: WorkerOptions,
    wait: bool = True,
    quiet: bool = False,
) -> bool:
    """Read every item, with as many workers as there are, and return whether the cache is complete."""
    say = silent if quiet else to_stderr
    place = _own_place(workers)
    if place is None:
        if workers.engine in {None, "local"}:
            workers = replace(workers, workers=_n_local(model, items, workers.workers, options.load.device))
        if workers.engine in {"ray", "submitit"} or workers.workers != 1:
            _through_engine(model, items, cache=Path(cache), options=options, workers=workers, say=say, quiet=quiet)
            return True
    else:
        say(str(place))
    return run_worker(
        model, items, cache=Path(cache), options=options, rank=place or ALONE, wait=wait, quiet=quiet
    ).complete


def _own_place(workers: WorkerOptions) -> Rank | None:
    """Return which worker this process is, None when it is none of several."""
    if workers.slurm is not None and workers.engine != "submitit":
        raise LagerError("--slurm says what jobs of --engine submitit ask for: give both, or neither")
    if workers.engine not in {None, *ENGINES}:
        raise LagerError(f"--engine {workers.engine}: expected one of {', '.join(ENGINES)}")
    if workers.workers is not None and workers.workers < 1:
        raise LagerError(f"--workers {workers.workers}: expected at least 1")
    chosen = workers.engine is not None or workers.workers is not None
    if chosen and (workers.rank is not None or workers.world_size is not None):
        raise LagerError("--rank and --world-size make this process a worker: leave out --engine and --workers")
    return None if chosen else find_rank(workers.rank, workers.world_size, environment=os.environ)


def _n_local(model: object, items: object, workers: int | None, device: str | None) -> int:
    """Return how many processes the local engine takes: those asked for, else one a GPU where none is named."""
    if workers is not None:
        return workers
    if device is not None or isinstance(model, Judge) or not isinstance(items, str | Path):
        return 1
    require_extra()
    from .local import visible_gpus

    return max(1, len(visible_gpus()))


def _through_engine(
    model: object, items: object, *, cache: Path, options: ExtractOptions, workers: WorkerOptions, say: Say,
    quiet: bool,
) -> None:  # fmt: skip
    """Start the workers, see them through, and say what they did."""
    from .supervise import run_workers

    call = make_call(model, items, cache=cache, options=options)
    started = _engine(workers, device=options.load.device, cache=cache, say=say)
    say(f"{started.n_workers} workers ({workers.engine or 'local'})")
    results = run_workers(started, call, say=say, shown=not quiet)
    if not (cache / MANIFEST).exists():
        raise LagerError(next(result["error"] for result in results if "error" in result))
    read = ", ".join(f"{result['items']} items by worker {result['rank']}" for result in results if "items" in result)
    say(f"read {read}")
    for result in results:
        # Worker 0 printed its report here already; in a job it went to a log.
        for line in result.get("report", ()) if result["rank"] or workers.engine == "submitit" else ():
            say(line)


def _engine(workers: WorkerOptions, *, device: str | None, cache: Path, say: Say) -> Engine:
    """Return the engine that was asked for; each needs other libraries, so only its own file is imported."""
    if workers.engine == "submitit":
        from .submitit_engine import SubmititEngine

        return SubmititEngine(workers.workers, cache=cache, device=device, options=workers.slurm or {}, say=say)
    if workers.engine == "ray":
        from .ray_engine import RayEngine

        return RayEngine(workers.workers, device=device)
    from .local import LocalEngine, visible_gpus

    return LocalEngine(workers.workers or 1, gpus=[] if device == "cpu" else visible_gpus())
