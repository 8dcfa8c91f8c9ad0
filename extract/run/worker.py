"""One worker's run, from the items to its shards and, if it is the last one, to the manifest."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.manifest import MANIFEST
from ...data.errors import LagerError
from ...data.items.lazy_items import ItemSource, blocks
from ...data.items.survey import survey_items
from ...data.progress import Say, silent, to_stderr
from ...data.run.cache_writer import CacheWriter
from ...data.run.finalize import Finalized
from ...data.run.shard_size import shard_advice
from ..model.judge import Judge, require_extra
from ..options.groups import ExtractOptions
from ..options.option import values_of
from ..planning.other_items import check_same_prompts
from ..planning.prepare import PreparedRun, prepare_run
from ..readout.likely_tokens import LOW_MASS
from ..workers.ranks import Rank
from ..workers.shared_survey import survey_once


class WorkerDone(NamedTuple):
    """What one worker did.

    Attributes
    ----------
    shards, items : int
        How many it read.
    complete : bool
        Whether the cache is complete.
    report : tuple of str
        What there is to say of the cache, where this worker wrote its manifest.
    """

    shards: int
    items: int
    complete: bool
    report: tuple[str, ...] = ()


def run_worker(
    model: str | Path | Judge,
    items: str | Path | ItemSource,
    *,
    cache: Path,
    options: ExtractOptions,
    rank: Rank,
    wait: bool,
    quiet: bool,
) -> WorkerDone:
    """Read one worker's share in this process, and what others leave; the last worker writes the manifest."""
    say = silent if quiet else to_stderr
    survey = partial(survey_once, cache=cache, say=say) if rank.world_size > 1 else survey_items
    options = replace(options, load=replace(options.load, device=_own_device(options.load.device)))
    prepared = prepare_run(model, items, folder=cache, options=options, say=say, survey=survey)
    judge, planner, loaded = prepared.judge, prepared.planner, prepared.items

    from ..planning.versions import library_versions, other_versions
    from ..workers.presence import Presence
    from .shard_run import changed_prompts, check_all_failures, check_text_is_kept, done_shards
    from .worker_shards import finish, own_shards, read_own_shards

    run, share_prefixes = options.run, options.batches.share_prefixes and not prepared.poolings
    writer = _start_writer(cache, prepared, options)
    for notice in (writer.notice, shard_advice(writer.n_items, writer.n_shards, n_workers=rank.world_size)):
        if notice:
            say(notice)
    complete = writer.finished()
    if complete is not None:
        whole = done_shards(writer, planner, loaded, relabel=False)
        if len(whole) == writer.n_shards:
            _check_complete(complete, loaded, keep_text=run.keep_text, say=say)
            return WorkerDone(0, 0, True)
        if not run.replace:
            check_same_prompts(complete, changed_prompts(complete, writer, planner, loaded, but=whole))
    if line := other_versions(writer.run["recorded"].get("versions"), library_versions(judge)):
        say(f"cache {cache} {line}; the cache records which rows were read under which")
    own, order = own_shards(loaded, writer, rank, share_prefixes=share_prefixes)
    # Other workers check their own shards; what they write from now on is sound.
    there = [shard for shard in own if writer.exists(shard)]
    done = set(done_shards(writer, planner, loaded, among=there, keep_text=run.keep_text))
    redo = [shard for shard in there if shard not in done]
    if done and rank.world_size == 1:
        left = len(loaded) - sum(len(writer.rows(shard)) for shard in done)
        say(f"continuing: {len(done)} of {writer.n_shards} shards are there, {left} items left")
    elif done:
        say(f"continuing: {len(done)} of this worker's {len(own)} shards are there")
    if run.keep_text and planner.condition.generates:
        check_text_is_kept(writer, sorted(done))

    def check() -> None:
        if rank.world_size > 1:
            check_all_failures(writer, planner, max_invalid=run.max_invalid)

    with Presence(cache, rank=rank, devices=judge.devices, max_failures=run.max_failures) as presence:
        read_own_shards(
            prepared, writer, presence, options, order=[shard for shard in order if shard not in done], own=own,
            redo=redo, done=sorted(done), say=say, shown=not quiet and rank.world_size == 1,
        )  # fmt: skip
        finished = finish(writer, presence, check=check, wait=wait, say=say)
    report = () if finished is None else _report(finished, cache, judge.n_layers)
    for line in report:
        say(line)
    record = presence.record
    return WorkerDone(record.shards_done, record.items_done, (cache / MANIFEST).exists(), report)


def _start_writer(cache: Path, prepared: PreparedRun, options: ExtractOptions) -> CacheWriter:
    """Return what writes the run's shards; the folder is made, or what it holds is compared with this run."""
    from ..planning.identity import cache_identity

    identity = cache_identity(
        prepared.judge, prepared.prompt_format, prepared.items, prepared.planner,
        batch_tokens=options.batches.batch_tokens, poolings=prepared.poolings,
    )  # fmt: skip
    human = list(options.items.human_range) if options.items.human_range else None
    return CacheWriter.start(
        cache,
        identity=identity,
        item_id=prepared.items.ids,
        shard_size=options.run.shard_size,
        options={"limit": options.items.limit, "seed": options.items.seed, "human_range": human,
                 "keep_text": options.run.keep_text, **values_of(options.batches)},
        provenance={"human_range": human, "source": prepared.items.source},
        private=options.run.private,
        new_items=True,
    )  # fmt: skip


def _own_device(device: str | None) -> str | None:
    """Return the device of one of several workers that torchrun or Slurm put on a machine, where all GPUs are seen."""
    local = next((os.environ[name] for name in ("LOCAL_RANK", "SLURM_LOCALID") if os.environ.get(name)), "")
    if device is not None or not local.isdecimal():
        return device
    require_extra()
    import torch

    n = torch.cuda.device_count()
    return f"cuda:{int(local) % n}" if n > 1 else None


def _check_complete(cache: FeatureCache, items: ItemSource, *, keep_text: bool, say: Say) -> None:
    """Raise `LagerError` when a complete cache is not what is asked for."""
    if keep_text and "text" not in cache.items.columns:
        raise LagerError(
            f"cache {cache.path} is complete, without the prompts' text: choose another folder for --keep-text"
        )
    if not _same_tables(cache.items, items):
        raise LagerError(
            f"cache {cache.path} is complete and holds other scores or columns than the input: join new scores with "
            "--scores when training or evaluating, or choose another folder for --cache"
        )
    say(f"cache {cache.path} is complete already: {cache.n_items} items")


def _same_tables(table: pl.DataFrame, items: ItemSource) -> bool:
    """Return whether an item table is that of the items; further columns do not count."""
    start = 0
    for block in blocks(items):
        stored = table[start : start + len(block)]
        if not set(block.table.columns) <= set(stored.columns) or not stored[block.table.columns].equals(block.table):
            return False
        start += len(block)
    return start == len(table)


def _report(finished: Finalized, folder: Path, n_layers: int) -> tuple[str, ...]:
    """Return what was written, and how much of the model's probability the score tokens hold."""
    lines = [f"wrote {folder}: {finished.rows} items, {finished.valid} valid, {n_layers} layers"]
    lines += [f"  not valid: {n}, {reason}" for reason, n in finished.reasons.items()]
    mass = finished.score_mass
    if mass is not None:
        lines.append(f"score mass: median {mass:.3f}")
    if mass is not None and mass < LOW_MASS:
        lines.append(
            f"warning: at the read-out the model gives the score labels a median probability of {mass:.3f}, expected "
            f"{LOW_MASS:g} or more: look at the prompt's end, the chat template, --answer-prefix and --scale"
        )
    return tuple(lines)
