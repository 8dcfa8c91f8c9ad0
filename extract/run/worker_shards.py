"""One worker's part of a run: its own shards, then what others have left, and the manifest if it is last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ...data.cache.manifest import MANIFEST
from ...data.errors import LagerError
from ...data.items.lazy_items import ItemSource, blocks
from ...data.progress import Say
from ...data.run.cache_writer import CacheWriter
from ...data.run.finalize import Finalized, finalize_cache, listed
from ...data.run.run_status import written_shards
from ...data.run.worker_records import read_failures, remove_records
from ..workers.deal import deal_shards, order_of_work, shard_costs
from ..workers.presence import POLL_SECONDS, Presence
from ..workers.ranks import Rank

if TYPE_CHECKING:
    from ..options.groups import ExtractOptions
    from ..planning.prepare import PreparedRun

_FINALIZING = "manifest"


def own_shards(
    items: ItemSource, writer: CacheWriter, rank: Rank, *, share_prefixes: bool
) -> tuple[list[int], list[int]]:
    """Return a worker's own shards, and all shards in the order in which it tries them."""
    fields = (one for block in blocks(items) for one in block.fields)
    costs = shard_costs(
        fields, n_items=writer.n_items, shard_size=writer.shard_size, share_prefixes=share_prefixes
    )  # fmt: skip
    return deal_shards(costs, rank.world_size)[rank.rank], order_of_work(costs, *rank[:2])


def read_own_shards(
    prepared: PreparedRun, writer: CacheWriter, presence: Presence, options: ExtractOptions, *, order: Sequence[int],
    own: Iterable[int], redo: Iterable[int], done: Sequence[int], say: Say, shown: bool,
) -> None:  # fmt: skip
    """Read this worker's shards and, when all have been read, those that other workers left."""
    from .shard_run import read_missing_shards

    presence.redo |= set(redo)
    mine = frozenset(own)
    while True:
        shards = presence.take(order, own=mine)
        try:
            read_missing_shards(
                prepared, writer, options, done=done, shards=shards, expected=order, say=say, shown=shown,
                on_written=lambda shard: presence.written(shard, len(writer.rows(shard))),
            )  # fmt: skip
            return
        except Exception as error:
            say(f"shard {presence.give_up(error)} failed and is left out for now: {error}")
        finally:
            shards.close()
            presence.release()


def finish(
    writer: CacheWriter, presence: Presence, *, check: Callable[[], None], wait: bool, say: Say
) -> Finalized | None:
    """Write the manifest, unless another worker does or has done so."""
    check_all_written(writer)
    while not (writer.path / MANIFEST).exists():
        if presence.claims.take(_FINALIZING):
            try:
                check()
                finished = finalize_cache(writer.path)
            finally:
                presence.claims.drop(_FINALIZING)
            remove_records(writer.path)
            return finished
        if not wait:
            say("another worker writes the manifest")
            return None
        time.sleep(POLL_SECONDS)
    return None


def check_all_written(writer: CacheWriter) -> None:
    """Raise `LagerError` that says why, when shards are missing."""
    missing = sorted(set(range(writer.n_shards)) - written_shards(writer.path))
    if not missing:
        return
    reasons = {failure.shard: failure.reason for failure in read_failures(writer.path)}
    reason = next((f": shard {shard}: {reasons[shard]}" for shard in missing if shard in reasons), "")
    raise LagerError(
        f"cache {writer.path}: {len(missing)} of {writer.n_shards} shards could not be read "
        f"({listed(missing)}){reason}; the others are kept, and the same command tries these again"
    )
