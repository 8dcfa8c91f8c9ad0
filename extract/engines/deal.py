"""Dealing whole shards to workers by what they cost, so that workers that never talk agree on who reads what."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def deal_shards(costs: Sequence[int], n_workers: int) -> list[list[int]]:
    """Return the shards of each worker: the dearest first, each to the worker with the least so far.

    The last worker ends within 4/3 of the best there is (Graham 1969, the longest processing time first). The same
    costs give the same shares everywhere: ties go to the lower shard and the lower worker.

    Parameters
    ----------
    costs : sequence of int
        Of each shard, in any unit; whole numbers, so that sums are the same on every machine.
    n_workers : int
        At least 1.

    Returns
    -------
    list of list of int
        Numbers of shards for each worker, dearest first.
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
