"""Choosing who reads: this process alone, this process as one of several workers, or the workers of an engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...data.cache.manifest import MANIFEST
from ...data.errors import LagerError
from ...data.items.lazy_items import ItemSource
from ...data.progress import Say, silent, to_stderr
from ..model.judge import Judge, require_extra
from ..run.worker import run_worker
from ..workers.ranks import ALONE, Rank, find_rank
from .engine import Engine, make_call

ENGINES = ("local", "ray", "submitit")


def run_extraction(
    model: str | Path | Judge,
    items: str | Path | ItemSource,
    *,
    cache: str | Path,
    engine: str | None = None,
    workers: int | None = None,
    rank: int | None = None,
    world_size: int | None = None,
    slurm: Mapping[str, Any] | None = None,
    wait: bool = True,
    quiet: bool = False,
    **options: Any,
) -> bool:
    """Read every item, with as many workers as there are, and return whether the cache is complete.

    Parameters
    ----------
    model, items, cache, quiet, **options
        As for `lager.extract.extractor.extract_features`.
    engine : {"local", "ray", "submitit"}, optional
        Who starts the workers; "local" when None, unless this process is a worker itself.
    workers : int, optional
        How many; one for each GPU when None, but for "submitit".
    rank, world_size : int, optional
        Which of several workers this process is; else the variables of torchrun or Slurm say it.
    slurm : mapping, optional
        What the jobs of "submitit" ask for, see `lager.extract.engines.slurm_options.make_executor`.
    wait : bool
        Whether one of several workers waits for the manifest, should another one write it.

    Returns
    -------
    bool
        False when other workers have the rest to do. The cache is not opened: its items may be many.

    Raises
    ------
    LagerError
        As for `lager.extract.extractor.extract_features`.
    """
    if slurm is not None and engine != "submitit":
        raise LagerError("--slurm says what jobs of --engine submitit ask for: give both, or neither")
    say = silent if quiet else to_stderr
    place = _own_place(engine, workers, rank, world_size)
    if place is None:
        device = options.get("device")
        n_workers = _n_local(model, items, workers, device) if engine in {None, "local"} else workers
        if engine in {"ray", "submitit"} or n_workers != 1:
            _through_engine(model, items, cache=Path(cache), engine=engine, n_workers=n_workers, slurm=slurm or {},
                            say=say, quiet=quiet, options=options)  # fmt: skip
            return True
    else:
        say(str(place))
    done = run_worker(model, items, cache=Path(cache), rank=place or ALONE, wait=wait, quiet=quiet, **options)
    return done.complete


def _own_place(engine: str | None, workers: int | None, rank: int | None, world_size: int | None) -> Rank | None:
    """Return which worker this process is, None when it is none of several."""
    if engine not in {None, *ENGINES}:
        raise LagerError(f"--engine {engine}: expected one of {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise LagerError(f"--workers {workers}: expected at least 1")
    chosen = engine is not None or workers is not None
    if chosen and (rank is not None or world_size is not None):
        raise LagerError("--rank and --world-size make this process a worker: leave out --engine and --workers")
    return None if chosen else find_rank(rank, world_size, environment=os.environ)


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
    model: object, items: object, *, cache: Path, engine: str | None, n_workers: int | None,
    slurm: Mapping[str, Any], say: Say, quiet: bool, options: dict[str, Any],
) -> None:  # fmt: skip
    """Start the workers, see them through, and say what they did."""
    from .supervise import run_workers

    call = make_call(model, items, cache=cache, options=options)
    started = _engine(engine, n_workers, device=options.get("device"), cache=cache, slurm=slurm, say=say)
    say(f"{started.n_workers} workers ({engine or 'local'})")
    results = run_workers(started, call, say=say, shown=not quiet)
    if not (cache / MANIFEST).exists():
        raise LagerError(next(result["error"] for result in results if "error" in result))
    read = ", ".join(f"{result['items']} items by worker {result['rank']}" for result in results if "items" in result)
    say(f"read {read}")
    for result in results:
        # Worker 0 said its own, but in a job it did so in a log.
        for line in result.get("report", ()) if result["rank"] or engine == "submitit" else ():
            say(line)


def _engine(
    engine: str | None, n_workers: int | None, *, device: str | None, cache: Path, slurm: Mapping[str, Any], say: Say
) -> Engine:
    if engine == "submitit":
        from .submitit_engine import SubmititEngine

        return SubmititEngine(n_workers, cache=cache, device=device, options=slurm, say=say)
    if engine == "ray":
        from .ray_engine import RayEngine

        return RayEngine(n_workers, device=device)
    from .local import LocalEngine, visible_gpus

    return LocalEngine(n_workers or 1, gpus=[] if device == "cpu" else visible_gpus())
