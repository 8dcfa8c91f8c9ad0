"""Folds and holdouts keep clusters whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lager.data.errors import LagerError
from lager.train.solvers.folds import cluster_folds, cluster_holdout


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 12).map(str)), min_size=20, max_size=80),
    st.integers(2, 6),
    st.integers(0, 9),
)
def test_every_row_is_tested_once_and_no_cluster_is_split(clusters: list, n_folds: int, seed: int) -> None:
    n = len(clusters)
    if len({c for c in clusters if c is not None}) + clusters.count(None) < n_folds:
        with pytest.raises(LagerError, match="folds need as many clusters"):
            cluster_folds(clusters, n, n_folds, seed)
        return
    folds = cluster_folds(clusters, n, n_folds, seed)
    assert len(folds) == n_folds
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(n))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(n))
        assert len(test) > 0
        assert not ({clusters[i] for i in train} & {clusters[i] for i in test}) - {None}


def test_folds_are_balanced_by_items_not_by_clusters() -> None:
    clusters = np.repeat([f"text{i}" for i in range(11)], [50, *[5] * 10])
    assert sorted(len(fold.test) for fold in cluster_folds(clusters, 100, 2, 0)) == [50, 50]


def test_same_seed_same_folds_and_another_seed_others() -> None:
    first, again, other = (cluster_folds(None, 50, 5, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.test, b.test) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(first, other, strict=True))


def test_without_clusters_folds_differ_by_one_item_at_most() -> None:
    assert sorted(len(fold.test) for fold in cluster_folds(None, 23, 5, 0)) == [4, 4, 5, 5, 5]


@pytest.mark.parametrize(
    ("clusters", "n", "n_folds", "message"),
    [
        (["a"] * 9, 9, 2, "2 folds need as many clusters, got 1 in 9 items"),
        (None, 3, 5, "got 3 in 3 items"),
        (None, 0, 2, "got 0 in 0 items"),
        (None, 9, 1, "got 1 folds"),
        (["a"], 2, 2, "got 1 clusters for 2 items"),
    ],
)
def test_impossible_folds_are_refused(clusters, n: int, n_folds: int, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        cluster_folds(clusters, n, n_folds, 0)


def test_holdout_has_its_share_and_whole_clusters() -> None:
    clusters = np.array([f"text{i // 4}" for i in range(100)])
    train, test = cluster_holdout(clusters, 100, 0.2, 7)
    assert len(test) == 20
    assert sorted([*train, *test]) == list(range(100))
    assert not set(clusters[train]) & set(clusters[test])
    assert np.array_equal(test, cluster_holdout(clusters, 100, 0.2, 7).test)
    assert not np.array_equal(test, cluster_holdout(clusters, 100, 0.2, 8).test)


@pytest.mark.parametrize(
    ("clusters", "share", "message"),
    [
        (None, 0.0, "got a holdout of 0"),
        (None, 1.0, "got a holdout of 1"),
        (["a"] * 10, 0.2, "two clusters or more, got 1 in 10 items"),
    ],
)
def test_impossible_holdouts_are_refused(clusters, share: float, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        cluster_holdout(clusters, 10, share, 0)


def test_large_clusters_are_held_out_up_to_the_nearest_count() -> None:
    clusters = np.repeat(["a", "b", "c"], [30, 30, 40])
    for share, seed in ((0.01, 0), (0.3, 1), (0.99, 2)):
        train, test = cluster_holdout(clusters, 100, share, seed)
        assert len(train) > 0
        assert len(test) in ({30, 40} if share < 0.5 else {60, 70})


@pytest.mark.parametrize("seed", range(5))
def test_folds_and_holdouts_do_not_hang_on_the_order_of_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = [f"text{number}" for number in rng.integers(0, 9, size=60)]
    order = rng.permutation(60)
    shuffled = [clusters[row] for row in order]
    for there, here in zip(cluster_folds(clusters, 60, 3, seed), cluster_folds(shuffled, 60, 3, seed), strict=True):
        assert sorted(there.test) == sorted(order[here.test])
    held, again = cluster_holdout(clusters, 60, 0.3, seed), cluster_holdout(shuffled, 60, 0.3, seed)
    assert sorted(held.test) == sorted(order[again.test])
