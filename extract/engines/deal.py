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
    for shard in sorted(range(len(costs)), key=lambda k: (-costs[k], k)):
        load, worker = heapq.heappop(loads)
        shares[worker].append(shard)
        heapq.heappush(loads, (load + costs[shard], worker))
    return shares


def order_of_work(costs: Sequence[int], *, rank: int, world_size: int) -> list[int]:
    """Return every shard in the order in which a worker tries them: its own share, then what others may have left.

    Of the others' shards the cheapest come first, and each worker begins with another one's share: what a worker that
    died left is found without all the others meeting at the same shard.
    """
    shares = deal_shards(costs, world_size)
    others = [shares[(rank + i) % world_size][::-1] for i in range(1, world_size)]
    return [*shares[rank], *(shard for share in others for shard in share)]
