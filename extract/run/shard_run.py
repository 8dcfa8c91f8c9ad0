"""A run over the shards: which are there, reading the rest, stopping when too much fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import polars as pl

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.manifest import PASS_LIMITS, shard_name
from ...data.cache.shards import ShardData, optional_names, read_columns
from ...data.errors import LagerError
from ...data.items.item_table import TEXT
from ...data.items.lazy_items import ItemSource
from ...data.progress import Progress, Say
from ...data.run.cache_writer import CacheWriter
from ...data.run.set_aside import EarlierRows
from ..options.groups import ExtractOptions
from ..planning.pass_limits import PassLimits
from ..planning.planner import Planner
from ..planning.plans_ahead import PlannedShard, PlansAhead, planned_shards
from ..planning.prefix_sharing import Sharing
from ..planning.prepare import PreparedRun
from ..planning.versions import library_versions
from .reused_rows import read_or_take, stored_optionally
from .shard_reader import NOT_FINITE, ShardReader
from .write_behind import WriteBehind


def item_rows(shard: PlannedShard, *, keep_text: bool) -> pl.DataFrame:
    """Return rows of the item table, with the prompts as column ``text`` where these are kept."""
    table = shard.items.table
    return table.with_columns(pl.Series(TEXT, shard.plan.texts)) if keep_text else table


def done_shards(
    writer: CacheWriter,
    planner: Planner,
    items: ItemSource,
    *,
    among: Iterable[int] | None = None,
    relabel: bool = True,
    keep_text: bool = False,
) -> list[int]:
    """Return the shards, of all or of those `among`, that are written already.

    With `relabel` a shard gets the labels that its items have in the input now, and their prompts where these are kept.
    """
    there = sorted(k for k in (range(writer.n_shards) if among is None else among) if writer.exists(k))
    return [
        k
        for k, shard in planned_shards(planner, items, writer.rows, there, salt=writer.salt)
        if _is_done(writer, k, shard, relabel=relabel, keep_text=keep_text)
    ]


def changed_prompts(
    cache: FeatureCache, writer: CacheWriter, planner: Planner, items: ItemSource, *, but: Sequence[int]
) -> int:
    """Return how many items of a complete cache have another prompt now, in all shards but some."""
    n, known = 0, set(but)
    rest = [k for k in range(writer.n_shards) if k not in known]
    for k, shard in planned_shards(planner, items, writer.rows, rest, salt=writer.salt):
        rows = writer.rows(k)
        before = cache.prompt_sha256[rows.start : rows.stop]
        n += int((before != shard.plan.hashes(salt=writer.salt)).any(axis=1).sum())
    return n


def _is_done(writer: CacheWriter, k: int, shard: PlannedShard, *, relabel: bool, keep_text: bool) -> bool:
    """Return whether a shard's file is whole and of these prompts; its labels are brought up to date then."""
    if not writer.exists(k):
        return False
    data = writer.read_done(k, item_id=shard.items.item_id, prompt_sha256=shard.plan.hashes(salt=writer.salt))
    if data is not None and relabel:
        writer.relabel(k, data, items=item_rows(shard, keep_text=keep_text))
    return data is not None


def _find_earlier(writer: CacheWriter, k: int, shard: PlannedShard, earlier: EarlierRows) -> None:
    """Put back the file that held just these rows before the items changed; a file of other rows is set aside."""
    if writer.exists(k):
        if (path := writer.make_room(k)) is not None:
            earlier.add(path)
        return
    hashes = shard.plan.hashes(salt=writer.salt)
    if (path := earlier.whole(shard.items.item_id, hashes, start=writer.rows(k).start)) is not None:
        writer.restore(k, path)


def check_text_is_kept(writer: CacheWriter, done: Sequence[int]) -> None:
    """Raise `LagerError` when an earlier run kept no generated text in its shards."""
    without = [k for k in done if "generated" not in optional_names(writer.path / shard_name(k))]
    if without:
        raise LagerError(
            f"cache {writer.path} was begun without --keep-text, and {len(without)} shards hold no generated text: go "
            "on without it, or choose another folder for --cache"
        )


def read_missing_shards(
    prepared: PreparedRun, writer: CacheWriter, options: ExtractOptions, *, done: Sequence[int], shards: Iterable[int],
    expected: Sequence[int], say: Say, shown: bool, on_written: Callable[[int], None],
) -> None:  # fmt: skip
    """Read and write the shards that are missing."""
    judge, planner, items, poolings = prepared.judge, prepared.planner, prepared.items, prepared.poolings
    keep_text, batch_tokens = options.run.keep_text, prepared.budget.tokens
    tally = _Tally(planner, n_items=len(items), max_invalid=options.run.max_invalid)
    for k in done:
        tally.add(writer.rows(k), _stored_reasons(writer, k))
    tally.check()
    stored = stored_optionally(planner, poolings, keep_text=keep_text)
    earlier = EarlierRows(writer.path, fingerprint=writer.run["fingerprint"], datasets=stored)
    wanted = options.batches.share_prefixes and not poolings
    limits = PassLimits(judge, batch_tokens=batch_tokens, share_prefixes=wanted, say=say)
    limits.take(writer.run.get(PASS_LIMITS))
    sharing = Sharing(limits).settle_on(
        plan for _, (_, plan) in planned_shards(planner, items, writer.rows, _first_shards(writer, planner))
    )
    planned_tokens = batch_tokens if wanted and sharing.possible and planner.forms is None else None
    versions = library_versions(judge)
    run, n_read, n_done = _now(), 0, sum(len(writer.rows(k)) for k in done)
    try:
        with (
            Progress(len(items), done=n_done, shown=shown) as progress,
            PlansAhead(
                planner,
                items,
                writer.rows,
                expected,
                batch_tokens=planned_tokens,
                borders=limits.borders,
                salt=writer.salt,
            ) as ahead,
            WriteBehind() as behind,
        ):
            reader = ShardReader(
                judge, planner, budget=prepared.budget, limits=limits, share_prefixes=False,
                advance=progress.advance, say=say, poolings=poolings, keep_text=keep_text,
            )  # fmt: skip
            for k in shards:
                shard = ahead.get(k)
                is_done = partial(_is_done, writer, k, shard, relabel=True, keep_text=keep_text)
                if not is_done():
                    _find_earlier(writer, k, shard, earlier)
                if is_done():  # an earlier file was put back, or another process was faster
                    progress.advance(len(shard.plan))
                    behind.submit(partial(on_written, k))
                    continue
                reader.share_prefixes = sharing.shares(shard.plan)
                data, cost = _read_shard(reader, earlier, shard, salt=writer.salt, advance=progress.advance)
                cost = {"run": run, **cost, "prefix_sharing": bool(sharing), "versions": versions}
                tally.add(writer.rows(k), data.reason)
                rows = item_rows(shard, keep_text=keep_text)
                write = partial(_write, writer, k, data, items=rows, cost=cost, on_written=on_written)
                behind.submit(partial(write, limits=limits.as_json()))
                n_read += 1
                tally.check()
    except KeyboardInterrupt:
        kept = f"{len(done) + n_read} of {writer.n_shards} shards"
        say(f"stopped: {kept} are kept in {writer.path}; the same command goes on there")
        raise


def _read_shard(
    reader: ShardReader, earlier: EarlierRows, shard: PlannedShard, *, salt: bytes, advance: Callable[[int], None]
) -> tuple[ShardData, dict[str, Any]]:
    """Return the rows of a shard, and what it cost to read them."""
    devices, start, clock = reader.judge.devices, _now("milliseconds"), time.monotonic()
    data, tokens, before = read_or_take(reader, earlier, shard.items.item_id, shard.plan, salt=salt, advance=advance)
    return data, {
        "start": start,
        "end": _now("milliseconds"),
        "devices": devices,
        "device_seconds": round((time.monotonic() - clock) * len(devices), 3),
        "tokens": tokens,
        "computed_tokens": reader.computed_tokens if tokens else 0,
        "batch_tokens": reader.budget.tokens,
        **({"before": before} if before else {}),
    }


def _write(
    writer: CacheWriter, k: int, data: ShardData, *, items: pl.DataFrame, cost: dict[str, Any],
    on_written: Callable[[int], None], limits: dict[str, Any],
) -> None:  # fmt: skip
    """Write a shard that was read, and say so; what was found of the model's passes by then is kept for later runs."""
    writer.write(k, data, items=items, cost=cost)
    writer.keep(PASS_LIMITS, limits)
    on_written(k)


def _stored_reasons(writer: CacheWriter, k: int) -> list[str]:
    """Return why rows of a written shard are not valid, empty where they are."""
    return read_columns(writer.path / shard_name(k), ["reason"])["reason"]


def check_all_failures(writer: CacheWriter, planner: Planner, *, max_invalid: float) -> None:
    """Raise `LagerError` when too many items failed in all shards together, whoever read them."""
    tally = _Tally(planner, n_items=writer.n_items, max_invalid=max_invalid)
    for k in range(writer.n_shards):
        tally.add(writer.rows(k), _stored_reasons(writer, k))
    tally.check()


def _first_shards(writer: CacheWriter, planner: Planner) -> range:
    """Return the shards on which it is settled whether prefixes are shared, done or not: at least one.

    A run that goes on, and every worker of a run, decides as the first did.
    """
    n = len(planner.settled)
    return range(writer.n_shards if n >= writer.n_items else max(1, n // writer.shard_size))


class _Tally:
    """Counts the items that failed, against those that can be read as far as is known."""

    def __init__(self, planner: Planner, *, n_items: int, max_invalid: float) -> None:
        self.planner, self.max_invalid = planner, max_invalid
        self.failures: Counter[str] = Counter()
        self.readable = n_items - sum(map(bool, planner.settled.reasons))

    def add(self, rows: range, reasons: Sequence[str]) -> None:
        """Count the failures of a shard; what is the prompts' own fault is none."""
        faults = Counter(reason for reason in reasons if reason in self.planner.prompt_faults)
        failed = Counter(reason for reason in reasons if reason) - faults
        if rows.stop > len(self.planner.settled):
            self.readable -= faults.total()
        self.failures += failed

    def check(self) -> None:
        """Raise `LagerError` when too many failed."""
        failures, n_failed = self.failures, self.failures.total()
        if n_failed <= self.max_invalid * self.readable:
            return
        table = ", ".join(f"{reason}: {n}" for reason, n in failures.most_common())
        advice = ["try --dtype float32 or bfloat16"] if NOT_FINITE in failures else []
        if set(failures) - {NOT_FINITE}:
            advice.append("look at what was written (--keep-text --limit 20), raise --max-new-tokens")
        raise LagerError(
            f"{n_failed} of {self.readable} items failed, more than --max-invalid {self.max_invalid:g} allows "
            f"({table}): {', '.join(advice)}, or allow more"
        )


def _now(precision: str = "seconds") -> str:
    """Return the time, as it is recorded."""
    return datetime.now(UTC).isoformat(timespec=precision)
