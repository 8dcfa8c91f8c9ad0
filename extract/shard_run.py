"""A run over the shards: which are there, reading the rest, stopping when too much fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..data.cache_writer import CacheWriter
from ..data.errors import LagerError
from ..data.items import Items
from ..data.manifest import RUN, read_sealed, shard_name
from ..data.shards import read_columns
from .judge import Judge
from .plan import Plan, Say
from .progress import ItemProgress
from .read_shard import NOT_FINITE, ShardReader


def stored_separator(folder: Path) -> str | None:
    """Return the separator of the run that is continued: a near tie must not turn on low bits the second time."""
    if not (folder / RUN).exists():
        return None
    inputs = read_sealed(folder / RUN, what="run record").get("fingerprint_inputs", {})
    sep = inputs.get("scale", {}).get("separator")
    return sep if isinstance(sep, str) else None


def done_shards(writer: CacheWriter, plan: Plan, items: Items, *, among: Sequence[int] | None = None) -> list[int]:
    """Return the shards, of all or `among` some, that another run wrote."""
    return [
        k
        for k in (range(writer.n_shards) if among is None else among)
        if writer.is_done(
            k,
            item_id=[items.item_id[row] for row in writer.rows(k)],
            prompt_sha256=plan.hashes(writer.rows(k), salt=writer.salt),
        )
    ]


def read_missing_shards(
    judge: Judge, plan: Plan, items: Items, writer: CacheWriter, *, done: Sequence[int], batch_tokens: int,
    max_invalid: float, say: Say, shown: bool,
) -> None:  # fmt: skip
    """Read and write the shards that are missing.

    Parameters
    ----------
    judge, plan, items, writer
        The model, what is to be read, and where it goes.
    done : sequence of int
        Shards that are there already.
    batch_tokens : int
        Padded tokens of a batch.
    max_invalid : float
        The part of the readable items that may fail numerically.
    say : callable
        Takes each line that the user should see.
    shown : bool
        Whether progress is shown.

    Raises
    ------
    LagerError
        When the self-check fails or too many items do; the shards written so far are kept.
    """
    failures: Counter[str] = Counter()
    for k in done:
        failures += _failures(read_columns(writer.path / shard_name(k), ["reason"])["reason"])
    n_done = sum(len(writer.rows(k)) for k in done)
    if done:
        say(f"continuing: {len(done)} of {writer.n_shards} shards are there, {len(items) - n_done} items left")
    kept, run = len(done), _now()
    readable = sum(not reason for reason in plan.reasons)
    _check_failures(failures, readable, max_invalid)
    try:
        with ItemProgress(len(items), done=n_done, shown=shown) as progress:
            reader = ShardReader(judge, plan, batch_tokens=batch_tokens, advance=progress.advance)
            for k in sorted(set(range(writer.n_shards)) - set(done)):
                if k in done_shards(writer, plan, items, among=[k]):  # another process was faster
                    progress.advance(len(writer.rows(k)))
                    continue
                start, clock, rows = _now(), time.monotonic(), writer.rows(k)
                data = reader.read([items.item_id[row] for row in rows], rows, salt=writer.salt)
                seconds = round((time.monotonic() - clock) * len(judge.devices), 3)
                tokens = int(data.n_tokens[data.valid].sum())
                cost = {"run": run, "start": start, "end": _now(), "devices": judge.devices}
                writer.write(k, data, cost={**cost, "device_seconds": seconds, "tokens": tokens})
                kept += 1
                failures += _failures(data.reason)
                _check_failures(failures, readable, max_invalid)
    except KeyboardInterrupt:
        say(f"stopped: {kept} of {writer.n_shards} shards are kept in {writer.path}; the same command goes on there")
        raise


def _failures(reasons: Sequence[str]) -> Counter[str]:
    """Count the reasons that are a fault of the reading, not of the prompt."""
    return Counter(reason for reason in reasons if reason == NOT_FINITE)


def _check_failures(failures: Counter[str], readable: int, max_invalid: float) -> None:
    if failures.total() > max_invalid * readable:
        table = ", ".join(f"{reason}: {n}" for reason, n in failures.most_common())
        raise LagerError(
            f"{failures.total()} of {readable} items failed, more than --max-invalid {max_invalid:g} allows ({table}): "
            "try --dtype float32 or bfloat16, or allow more"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
