"""A run over the shards: which are there, reading the rest, stopping when too much fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from ..data.cache_writer import CacheWriter
from ..data.errors import LagerError
from ..data.item_rows import TEXT
from ..data.items import Items
from ..data.manifest import RUN, read_run, shard_name
from ..data.shards import optional_names, read_columns
from .judge import Judge
from .out_of_memory import BatchBudget
from .plan import Plan, Say
from .progress import ItemProgress
from .read_shard import NOT_FINITE, ShardReader
from .sharing import settle_sharing


def stored_separator(folder: Path) -> str | None:
    """Return the separator of the run that is continued: a near tie must not turn on low bits the second time."""
    if not (folder / RUN).exists():
        return None
    inputs = read_run(folder).get("fingerprint_inputs", {})
    sep = inputs.get("scale", {}).get("separator")
    return sep if isinstance(sep, str) else None


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


def item_rows(plan: Plan, items: Items, rows: range, *, keep_text: bool) -> pl.DataFrame:
    """Return rows of the item table, with the prompts as column ``text`` where they are kept."""
    table = items.table[rows.start : rows.stop]
    return table.with_columns(pl.Series(TEXT, plan.texts[rows.start : rows.stop])) if keep_text else table


def done_shards(
    writer: CacheWriter, plan: Plan, items: Items, *, among: Iterable[int] | None = None, relabel: bool = True,
    keep_text: bool = False,
) -> list[int]:  # fmt: skip
    """Return the shards, of all or `among` some, that another run wrote.

    With `relabel`, those whose rows have other labels in the input by now, or whose prompts are kept now, get these.
    """
    done = []
    for k in range(writer.n_shards) if among is None else among:
        if not writer.exists(k):
            continue
        rows = writer.rows(k)
        data = writer.read_done(
            k,
            item_id=[items.item_id[row] for row in rows],
            prompt_sha256=plan.hashes(rows, salt=writer.salt),
        )
        if data is not None:
            if relabel:
                writer.relabel(k, data, items=item_rows(plan, items, rows, keep_text=keep_text))
            done.append(k)
    return done


def check_text_is_kept(writer: CacheWriter, done: Sequence[int]) -> None:
    """Raise `LagerError` when an earlier run kept no generated text in its shards."""
    without = [k for k in done if "generated" not in optional_names(writer.path / shard_name(k))]
    if without:
        raise LagerError(
            f"cache {writer.path} was begun without --keep-text, and {len(without)} shards hold no generated text: go "
            "on without it, or choose another folder for --cache"
        )


def read_missing_shards(
    judge: Judge, plan: Plan, items: Items, writer: CacheWriter, *, done: Sequence[int], budget: BatchBudget,
    share_prefixes: bool, max_invalid: float, say: Say, shown: bool, poolings: Sequence[str] = (),
    keep_text: bool = False, shards: Iterable[int] | None = None,
) -> list[ShardRecord]:  # fmt: skip
    """Read and write the shards that are missing.

    Parameters
    ----------
    judge, plan, items, writer
        The model, what is to be read, and where it goes.
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
        the next one when the one before is written. One that another process wrote meanwhile is passed over.

    Returns
    -------
    list of ShardRecord
        Of the shards that were read here.

    Raises
    ------
    LagerError
        When the self-check fails or too many items do; the shards written so far are kept.
    """
    failures: Counter[str] = Counter()
    unreadable = set(plan.reasons)  # a fault of the prompt, not of the reading, and "" for those that can be read
    for k in done:
        reasons = read_columns(writer.path / shard_name(k), ["reason"])["reason"]
        failures += Counter(reason for reason in reasons if reason not in unreadable)
    n_done = sum(len(writer.rows(k)) for k in done)
    if done:
        say(f"continuing: {len(done)} of {writer.n_shards} shards are there, {len(items) - n_done} items left")
    run, records = _now(), list[ShardRecord]()
    readable = sum(not reason for reason in plan.reasons)
    _check_failures(failures, readable, max_invalid)
    sharing = share_prefixes and not poolings and settle_sharing(
        judge, plan, map(writer.rows, range(writer.n_shards)), batch_tokens=budget.tokens, say=say
    )  # fmt: skip
    try:
        with ItemProgress(len(items), done=n_done, shown=shown) as progress:
            reader = ShardReader(
                judge, plan, budget=budget, share_prefixes=sharing, advance=progress.advance, say=say,
                poolings=poolings, keep_text=keep_text,
            )  # fmt: skip
            for k in sorted(set(range(writer.n_shards)) - set(done)) if shards is None else shards:
                if done_shards(writer, plan, items, among=[k], keep_text=keep_text):  # another process was faster
                    progress.advance(len(writer.rows(k)))
                    continue
                start, clock, rows = _now(), time.monotonic(), writer.rows(k)
                data = reader.read([items.item_id[row] for row in rows], rows, salt=writer.salt)
                seconds = round((time.monotonic() - clock) * len(judge.devices), 3)
                tokens = int(data.n_tokens[data.valid].sum())
                cost = {
                    "run": run, "start": start, "end": _now(), "devices": judge.devices, "device_seconds": seconds,
                    "tokens": tokens, "computed_tokens": reader.computed_tokens, "batch_tokens": budget.tokens,
                    "prefix_sharing": sharing,
                }  # fmt: skip
                writer.write(k, data, items=item_rows(plan, items, rows, keep_text=keep_text), cost=cost)
                failed = Counter(reason for reason in data.reason if reason not in unreadable)
                records.append(ShardRecord(k, len(rows), dict(failed), cost))
                failures += failed
                _check_failures(failures, readable, max_invalid)
    except KeyboardInterrupt:
        kept = len(done) + len(records)
        say(f"stopped: {kept} of {writer.n_shards} shards are kept in {writer.path}; the same command goes on there")
        raise
    return records


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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
