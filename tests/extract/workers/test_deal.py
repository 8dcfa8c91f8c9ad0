"""Shards are dealt whole, evenly, and the same by everyone."""

from hypothesis import given
from hypothesis import strategies as st
from lager.extract.workers.deal import deal_shards, order_of_work

COSTS = st.lists(st.integers(1, 10**12), max_size=60)


@given(COSTS, st.integers(1, 12))
def test_every_shard_goes_to_one_worker_and_none_is_far_behind(costs, n_workers):
    shares = deal_shards(costs, n_workers)
    assert sorted(shard for share in shares for shard in share) == list(range(len(costs)))
    loads = [sum(costs[shard] for shard in share) for share in shares]
    # Whoever ends last began its last shard when nobody had less to do.
    assert max(loads) <= sum(costs) / n_workers + max(costs, default=0)


@given(COSTS, st.integers(1, 12))
def test_a_worker_tries_its_own_share_first_and_then_everything_else(costs, n_workers):
    shares = deal_shards(costs, n_workers)
    for rank in range(n_workers):
        order = order_of_work(costs, rank, n_workers)
        assert order[: len(shares[rank])] == shares[rank]
        assert sorted(order) == list(range(len(costs)))


def test_the_dearest_are_dealt_first_and_ties_by_number():
    assert deal_shards([5, 9, 5, 1], 2) == [[1, 3], [0, 2]]
    assert deal_shards([3, 3, 3], 5) == [[0], [1], [2], [], []]
    assert deal_shards([], 2) == [[], []]
