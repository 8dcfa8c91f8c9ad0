"""Dealing whole shards to workers by what they cost, so that workers that never talk agree on who reads what."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def deal_shards(costs: Sequence[int], n_workers: int) -> list[list[int]]:
    """Return the shards of each worker: the dearest first, each to the worker with the least so far.

    The last worker ends within 4/3 of the best there is (Graham 1969, the longest processing time first). The same
    costs give the same shares everywhere: ties go to the lower shard and the lower worker.
    """
    loads = [(0, worker) for worker in range(n_workers)]
    shares: list[list[int]] = [[] for _ in range(n_workers)]
    for shard in dearest_first(costs):
        load, worker = heapq.heappop(loads)
        shares[worker].append(shard)
        heapq.heappush(loads, (load + costs[shard], worker))
    return shares


def order_of_work(costs: Sequence[int], rank: int, world_size: int) -> list[int]:
    """Return every shard in the order in which a worker tries them: its own share, then what others have left.

    Both are dearest first, so the shards that are begun last are the cheapest, whoever reads them.
    """
    share = deal_shards(costs, world_size)[rank]
    own = set(share)
    return [*share, *(shard for shard in dearest_first(costs) if shard not in own)]


def dearest_first(costs: Sequence[int]) -> list[int]:
    """Return the shards by falling cost, ties by number."""
    return sorted(range(len(costs)), key=lambda shard: (-costs[shard], shard))


# What an item costs beside its own text, in characters: the criterion, the template's end, the read-out. It is of the
# order of the 40 tokens that follow the text in the bundled templates.
ITEM_CHARACTERS = 200
# Above this many items shards are so many that their costs need not be known: work is taken over shard by shard.
MOST_ITEMS = 200_000


def shard_costs(
    fields: Iterable[Mapping[str, Any]], *, n_items: int, shard_size: int, share_prefixes: bool
) -> list[int]:
    """Return the expected cost of each shard, in characters that are computed.

    Where prefixes are shared, a field that has the same value as in the item before costs nothing, but at the
    beginning of a shard.
    """
    rows = [min(shard_size, n_items - start) for start in range(0, n_items, shard_size)]
    if n_items > MOST_ITEMS:
        return rows
    costs = [ITEM_CHARACTERS * n for n in rows]
    before: Mapping[str, Any] = {}
    for row, item in enumerate(fields):
        shard, place = divmod(row, shard_size)
        if not share_prefixes or not place:
            before = {}
        costs[shard] += sum(_length(value) for name, value in item.items() if before.get(name) != value)
        before = item
    return costs


def _length(value: Any) -> int:
    """Return the length of a field in characters."""
    return len(value) if isinstance(value, str) else len(str(value))
