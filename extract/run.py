"""A run from the items to the manifest, by this process alone, as one of several workers, or through an engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..data.cache import FeatureCache
from ..data.cache_writer import CacheWriter
from ..data.errors import LagerError
from ..data.finalize import Finalized
from ..data.items import Items
from .batches import DEFAULT_BATCH_TOKENS
from .engines.call import make_call
from .engines.ranks import Rank, find_rank
from .judge import Judge, require_extra
from .likely_tokens import LOW_MASS
from .prepare import prepare_reading

Say = Callable[[str], None]
ENGINES = ("local", "ray")
_ALONE = Rank(0, 1, "")


class WorkerDone(NamedTuple):
    """What one worker did.

    Attributes
    ----------
    shards, items : int
        How many it read.
    complete : bool
        Whether the cache is complete.
    """

    shards: int
    items: int
    complete: bool


def run_extraction(
    model: str | Path | Judge,
    items: str | Path | Items,
    *,
    cache: str | Path,
    engine: str | None = None,
    workers: int | None = None,
    rank: int | None = None,
    world_size: int | None = None,
    wait: bool = True,
    quiet: bool = False,
    **options: Any,
) -> FeatureCache | None:
    """Read every item, with as many workers as there are, and return the cache.

    Parameters
    ----------
    model, items, cache, quiet, **options
        As for `lager.extract.extractor.extract_features`.
    engine : {"local", "ray"}, optional
        Who starts the workers; "local" when None, unless this process is a worker itself.
    workers : int, optional
        How many; one for each GPU when None.
    rank, world_size : int, optional
        Which of several workers this process is; else the variables of torchrun or Slurm say it.
    wait : bool
        Whether one of several workers waits for the manifest, should another one write it.

    Returns
    -------
    FeatureCache or None
        None when other workers have the rest to do.

    Raises
    ------
    LagerError
        As for `lager.extract.extractor.extract_features`.
    """
    say = _silent if quiet else to_stderr
    place = _own_place(engine, workers, rank, world_size)
    if place is None:
        device = options.get("device")
        n_workers = _n_local(model, items, workers, device) if engine in {None, "local"} else workers
        if engine == "ray" or n_workers != 1:
            _through_engine(model, items, cache=Path(cache), engine=engine, n_workers=n_workers, say=say, quiet=quiet,
                            options=options)  # fmt: skip
            return FeatureCache.open(cache)
    else:
        say(str(place))
    done = run_worker(model, items, cache=Path(cache), rank=place or _ALONE, wait=wait, quiet=quiet, **options)
    return FeatureCache.open(cache) if done.complete else None


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
    if device is not None or isinstance(model, Judge) or isinstance(items, Items):
        return 1
    require_extra()
    from .engines.local import visible_gpus

    return max(1, len(visible_gpus()))


def _through_engine(
    model: object, items: object, *, cache: Path, engine: str | None, n_workers: int | None, say: Say, quiet: bool,
    options: dict[str, Any],
) -> None:  # fmt: skip
    """Start the workers, see them through, and say what they did."""
    from .engines.supervise import run_workers

    call = make_call(model, items, cache=cache, options=options)
    started = _engine(engine, n_workers, options.get("device"))
    say(f"{started.n_workers} workers ({engine or 'local'})")
    results = run_workers(started, call, say=say, shown=not quiet)
    if not (cache / "manifest.json").exists():
        raise LagerError(next(result["error"] for result in results if "error" in result))
    read = ", ".join(f"{result['items']} items by worker {result['rank']}" for result in results if "items" in result)
    say(f"read {read}")


def _engine(engine: str | None, n_workers: int | None, device: str | None) -> Any:
    if engine == "ray":
        from .engines.on_ray import RayEngine

        return RayEngine(n_workers, device=device)
    from .engines.local import LocalEngine, visible_gpus

    return LocalEngine(n_workers or 1, gpus=[] if device == "cpu" else visible_gpus())


def run_worker(
    model: str | Path | Judge,
    items: str | Path | Items,
    *,
    cache: Path,
    rank: Rank,
    wait: bool,
    quiet: bool,
    max_invalid: float = 0.1,
    max_failures: int = 0,
    limit: int | None = None,
    seed: int = 42,
    human_range: tuple[float, float] | None = None,
    keep_text: bool = False,
    private: bool = False,
    batch_tokens: int = DEFAULT_BATCH_TOKENS,
    shard_size: int | None = None,
    share_prefixes: bool = True,
    deterministic: bool = False,
    **options: Any,
) -> WorkerDone:
    """Read one worker's share in this process, and what others leave; the last worker writes the manifest.

    Parameters
    ----------
    rank : Rank
        Which worker this is.
    wait : bool
        Whether to wait for a manifest that another worker writes.

    All others are those of `lager.extract.extractor.extract_features`.

    Raises
    ------
    LagerError
        As there.
    """
    say = _silent if quiet else to_stderr
    if not 0 <= max_invalid <= 1:
        raise LagerError(f"--max-invalid {max_invalid:g}: expected a part between 0 and 1")
    if max_failures < 0:
        raise LagerError(f"--max-failures {max_failures}: expected 0 or more")
    if deterministic:
        batch_tokens, share_prefixes = 1, False
    reading = prepare_reading(
        model, items, folder=cache, say=say, limit=limit, seed=seed, human_range=human_range,
        batch_tokens=batch_tokens, **{**options, "device": _own_device(options.get("device"))},
    )  # fmt: skip
    judge, plan, loaded = reading.judge, reading.plan, reading.items

    from .engines.presence import Presence
    from .engines.share import check_all_invalid, finish, read_share
    from .identity import cache_identity
    from .shard_run import check_text_is_kept, done_shards

    human = list(human_range) if human_range else None
    writer = CacheWriter.start(
        cache,
        identity=cache_identity(
            judge, reading.prompt_format, loaded, plan, batch_tokens=batch_tokens, poolings=reading.poolings
        ),
        item_id=loaded.item_id,
        shard_size=shard_size,
        options={"limit": limit, "seed": seed, "human_range": human, "keep_text": keep_text,
                 "batch_tokens": batch_tokens, "share_prefixes": share_prefixes, "deterministic": deterministic},
        provenance={"human_range": human, "source": loaded.source},
        private=private,
    )  # fmt: skip
    if writer.notice:
        say(writer.notice)
    done = done_shards(writer, plan, loaded, keep_text=keep_text)
    if len(done) == writer.n_shards and (complete := writer.finished()) is not None:
        _check_complete(complete, loaded, keep_text=keep_text, say=say)
        return WorkerDone(0, 0, True)
    if keep_text and plan.condition.generates:
        check_text_is_kept(writer, done)
    with Presence(cache, rank=rank, devices=judge.devices, max_failures=max_failures) as presence:
        read_share(
            reading, writer, presence, rank=rank, done=done, share_prefixes=share_prefixes, say=say,
            max_invalid=max_invalid, shown=not quiet and rank.world_size == 1, keep_text=keep_text,
        )  # fmt: skip
        finished = finish(writer, presence, wait=wait, say=say)
    if finished is not None:
        _report(finished, cache, judge.n_layers, say=say)
    return WorkerDone(presence.record.shards_done, presence.record.items_done, (cache / MANIFEST).exists())


def _own_device(device: str | None) -> str | None:
    """Return the device of one of several workers that torchrun or Slurm put on a machine, where all GPUs are seen."""
    local = next((os.environ[name] for name in ("LOCAL_RANK", "SLURM_LOCALID") if os.environ.get(name)), "")
    if device is not None or not local.isdecimal():
        return device
    require_extra()
    import torch

    n = torch.cuda.device_count()
    return f"cuda:{int(local) % n}" if n > 1 else None
