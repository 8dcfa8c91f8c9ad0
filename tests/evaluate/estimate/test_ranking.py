"""Ranks and orders: what differences exclude, what a bootstrap of clusters shows, at any number of clusters."""

import numpy as np
import pytest
from lager import estimate_means
from lager.evaluate.estimate.cluster_sums import ClusterSums
from lager.evaluate.estimate.ranking import MeanDifference, rank_sets


def pair(one, other, gap, p):
    return MeanDifference(one, other, gap, gap - 1, gap + 1, p, p)


def test_a_set_of_ranks_leaves_out_what_is_clearly_above_and_below():
    found = [pair("a", "b", 1.0, 0.01), pair("a", "c", 2.0, 0.001), pair("b", "c", 0.5, 0.4)]
    ranks = {one.system: (one.best, one.worst) for one in rank_sets(["a", "b", "c", "unlabelled"], found, 0.95)}
    assert ranks == {"a": (1, 1), "b": (2, 3), "c": (2, 3)}


def test_alike_systems_may_have_any_rank_in_most_draws():
    clear = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        human, system = rng.normal(size=300), np.arange(300) % 3
        found = estimate_means(human, {"judge": human + rng.normal(size=300)}, system=system, resamples=0)
        clear += any(one.best > 1 or one.worst < 3 for one in found.ranks)
    assert clear <= 5


def test_shares_of_orders_add_up_and_follow_the_means():
    rng = np.random.default_rng(1)
    system = np.arange(120) % 2
    human = rng.normal(size=120) + 0.3 * system
    human[60:] = np.nan
    found = estimate_means(human, {"judge": rng.normal(size=120)}, system=system)
    assert sum(one.share for one in found.orders) == pytest.approx(1)
    assert found.orders[0].order == tuple(one.name for one in sorted(found.means, key=lambda one: -one.mean))


def test_clusters_dealt_into_parts_keep_their_sums():
    rng = np.random.default_rng(2)
    n = 500
    weight = (np.arange(n) < 200) * 1.0
    sums = ClusterSums.of(
        rng.normal(size=n), rng.normal(size=n), weight, domain=np.arange(n) % 2, cluster=np.arange(n) // 2
    )
    dealt = sums.dealt(30, rng)
    assert dealt.weight.shape == (2, 60)
    for mine, theirs in zip(sums.means(), dealt.means(), strict=True):
        np.testing.assert_allclose(mine, theirs)
    assert sums.dealt(400, rng) is sums


def test_a_hundred_thousand_items_without_clusters_are_estimated():
    rng = np.random.default_rng(3)
    human = rng.normal(size=100_000)
    judge = human + rng.normal(size=100_000)
    human[rng.random(100_000) > 0.05] = np.nan
    (one,) = estimate_means(human, {"judge": judge}).means
    assert one.low < 0 < one.high
