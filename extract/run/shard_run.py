"""A run over the shards: which are there, reading the rest, stopping when too much fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import polars as pl

from ...data.cache.manifest import shard_name
from ...data.cache.shards import ShardData, optional_names, read_columns
from ...data.errors import LagerError
from ...data.items.item_table import TEXT
from ...data.items.lazy_items import ItemSource
from ...data.progress import Progress, Say
from ...data.run.cache_writer import CacheWriter
from ...data.run.set_aside import EarlierRows
from ..model.judge import Judge
from ..planning.planner import Planner
from ..planning.plans_ahead import PlannedShard, PlansAhead, planned_shards
from ..planning.prefix_sharing import Sharing
from ..readout.batches import BatchBudget
from .reused_rows import read_or_take, stored_optionally
from .shard_reader import NOT_FINITE, ShardReader
from .write_behind import WriteBehind


class ShardRecord(NamedTuple):
    """What there is to say of a shard that was read; the rows themselves are in its file.

    Attributes
    ----------
    shard, rows : int
        Its number, and how many rows it has.
    failures : dict
        Why rows could not be read, with how many; faults of the prompts (too long, empty) are not among them.
    cost : dict
        start, end, devices, device_seconds, tokens, computed_tokens.
    """

    shard: int
    rows: int
    failures: dict[str, int]
    cost: dict[str, Any]


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
    """Return the shards, of all or `among` some, that another run wrote.

    With `relabel`, those whose rows have other labels in the input by now, or whose prompts are kept now, get these.
    """
    there = sorted(k for k in (range(writer.n_shards) if among is None else among) if writer.exists(k))
    return [
        k
        for k, shard in planned_shards(planner, items, writer.rows, there, salt=writer.salt)
        if _is_done(writer, k, shard, relabel=relabel, keep_text=keep_text)
    ]


def _is_done(writer: CacheWriter, k: int, shard: PlannedShard, *, relabel: bool, keep_text: bool) -> bool:
    if not writer.exists(k):
        return False
    data = writer.read_done(k, item_id=shard.items.item_id, prompt_sha256=shard.plan.hashes(salt=writer.salt))
    if data is not None and relabel:
        writer.relabel(k, data, items=item_rows(shard, keep_text=keep_text))
    return data is not None


def _find_earlier(writer: CacheWriter, k: int, shard: PlannedShard, earlier: EarlierRows) -> None:
    """Give a shard the file back that held just its rows before the items changed; else make room for a new one."""
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
    judge: Judge, planner: Planner, items: ItemSource, writer: CacheWriter, *, done: Sequence[int],
    budget: BatchBudget, share_prefixes: bool, max_invalid: float, say: Say, shown: bool,
    poolings: Sequence[str] = (), keep_text: bool = False, shards: Iterable[int] | None = None,
    expected: Sequence[int] | None = None, on_written: Callable[[int], None] | None = None,
) -> list[ShardRecord]:  # fmt: skip
    """Read and write the shards that are missing.

    Parameters
    ----------
    judge, planner, items, writer
        The model, how items are planned, what is to be read, and where it goes.
    done : sequence of int
        Shards that are there already.
    budget : BatchBudget
        Padded tokens of a batch.
    share_prefixes : bool
        Whether what the prompts of a shard share is computed once, where that saves work and the model allows it.
    max_invalid : float
        The part of the readable items that may fail: numerically, or for want of a score in what the judge wrote.
    say : callable
        Takes each line that the user should see.
    shown : bool
        Whether progress is shown.
    poolings : sequence of str
        Of the hidden states that are stored too.
    keep_text : bool
        Whether prompts and generated text are stored.
    shards : iterable of int, optional
        The shards to read, in this order; all that are missing, by their numbers, when None. A generator is asked for
        the next one when the one before is read. One that another process wrote meanwhile is passed over.
    expected : sequence of int, optional
        Where `shards` is a generator, the order in which it will most likely give them: the next ones are rendered and
        tokenised while the device reads.
    on_written : callable, optional
        Told the number of each of `shards` that is there, in their order; also by another thread than this one.

    Returns
    -------
    list of ShardRecord
        Of the shards that were read here.

    Raises
    ------
    LagerError
        When the self-check fails or too many items do; the shards written so far are kept.
    """
    tally = _Tally(planner, n_items=len(items), max_invalid=max_invalid)
    for k in done:
        tally.add(writer.rows(k), read_columns(writer.path / shard_name(k), ["reason"])["reason"])
    n_done = sum(len(writer.rows(k)) for k in done)
    run, records = _now(), list[ShardRecord]()
    tally.check()
    stored = stored_optionally(planner, poolings, keep_text=keep_text)
    earlier = EarlierRows(writer.path, fingerprint=writer.run["fingerprint"], datasets=stored)
    wanted = share_prefixes and not poolings
    sharing = Sharing(judge, wanted=wanted, batch_tokens=budget.tokens, say=say).settle_on(
        plan for _, (_, plan) in planned_shards(planner, items, writer.rows, _first_shards(writer, planner))
    )
    if shards is None:
        shards = sorted(set(range(writer.n_shards)) - set(done))
    if expected is None:
        expected = shards if isinstance(shards, Sequence) else ()
    written = on_written or _ignore
    try:
        with (
            Progress(len(items), done=n_done, shown=shown) as progress,
            PlansAhead(
                planner,
                items,
                writer.rows,
                expected,
                batch_tokens=budget.tokens if wanted and sharing.possible and planner.forms is None else None,
                salt=writer.salt,
            ) as ahead,
            WriteBehind() as behind,
        ):
            reader = ShardReader(
                judge, planner, budget=budget, share_prefixes=False, advance=progress.advance, say=say,
                poolings=poolings, keep_text=keep_text,
            )  # fmt: skip
            for k in shards:
                shard = ahead.get(k)
                is_done = partial(_is_done, writer, k, shard, relabel=True, keep_text=keep_text)
                if not is_done():
                    _find_earlier(writer, k, shard, earlier)
                if is_done():  # it was found, or another process was faster
                    progress.advance(len(shard.plan))
                    behind.submit(partial(written, k))
                    continue
                start, clock = _now("milliseconds"), time.monotonic()
                reader.share_prefixes = sharing.shares(shard.plan)
                data, tokens, before = read_or_take(
                    reader, earlier, shard.items.item_id, shard.plan, salt=writer.salt, advance=progress.advance
                )
                cost = {
                    "run": run, "start": start, "end": _now("milliseconds"), "devices": judge.devices,
                    "device_seconds": round((time.monotonic() - clock) * len(judge.devices), 3), "tokens": tokens,
                    "computed_tokens": reader.computed_tokens if tokens else 0, "batch_tokens": budget.tokens,
                    "prefix_sharing": bool(sharing), **({"before": before} if before else {}),
                }  # fmt: skip
                failed = tally.add(writer.rows(k), data.reason)
                record = ShardRecord(k, len(data), failed, cost)
                behind.submit(partial(_write, writer, shard, data, record, keep_text=keep_text, written=written))
                records.append(record)
                tally.check()
    except KeyboardInterrupt:
        kept = len(done) + len(records)
        say(f"stopped: {kept} of {writer.n_shards} shards are kept in {writer.path}; the same command goes on there")
        raise
    return records


def _write(
    writer: CacheWriter, shard: PlannedShard, data: ShardData, record: ShardRecord, *, keep_text: bool,
    written: Callable[[int], None],
) -> None:  # fmt: skip
    """Write a shard that was read, and say so."""
    writer.write(record.shard, data, items=item_rows(shard, keep_text=keep_text), cost=record.cost)
    written(record.shard)


def _ignore(shard: int) -> None:
    """Tell nobody."""


def check_all_failures(writer: CacheWriter, planner: Planner, *, max_invalid: float) -> None:
    """Raise `LagerError` when too many items failed in all shards together, whoever read them."""
    tally = _Tally(planner, n_items=writer.n_items, max_invalid=max_invalid)
    for k in range(writer.n_shards):
        tally.add(writer.rows(k), read_columns(writer.path / shard_name(k), ["reason"])["reason"])
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

    def add(self, rows: range, reasons: Sequence[str]) -> dict[str, int]:
        """Count a shard, and return its failures; what is the prompts' own fault is none."""
        faults = Counter(reason for reason in reasons if reason in self.planner.prompt_faults)
        failed = Counter(reason for reason in reasons if reason) - faults
        if rows.stop > len(self.planner.settled):
            self.readable -= faults.total()
        self.failures += failed
        return dict(failed)

    def check(self) -> None:
        """Raise `LagerError` when too many failed."""
        _check_failures(self.failures, self.readable, self.max_invalid)


def _check_failures(failures: Counter[str], readable: int, max_invalid: float) -> None:
    if failures.total() > max_invalid * readable:
        table = ", ".join(f"{reason}: {n}" for reason, n in failures.most_common())
        advice = ["try --dtype float32 or bfloat16"] if NOT_FINITE in failures else []
        if set(failures) - {NOT_FINITE}:
            advice.append("look at what was written (--keep-text --limit 20), raise --max-new-tokens")
        raise LagerError(
            f"{failures.total()} of {readable} items failed, more than --max-invalid {max_invalid:g} allows ({table}): "
            f"{', '.join(advice)}, or allow more"
        )


def _now(precision: str = "seconds") -> str:
    return datetime.now(UTC).isoformat(timespec=precision)
