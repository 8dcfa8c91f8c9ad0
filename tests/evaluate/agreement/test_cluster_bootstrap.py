"""Resamples draw whole clusters, from the seed alone, and give the intervals of a plain loop."""

import numpy as np
import pytest
from lager.evaluate.agreement import bootstrap as bootstrap_module
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.bootstrap import ClusterBootstrap
from lager.evaluate.agreement.intervals import percentile_interval
from lager.evaluate.agreement.labelled_scores import LabelledScores
from scipy import stats


def all_weights(bootstrap, cluster):
    return np.concatenate(list(bootstrap.blocks(cluster)), axis=1)


def clustered(n_clusters=40, size=10, seed=0):
    """Items of a cluster share a human score and a judge's error, so a cluster is worth about one item."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), size)
    human = rng.normal(size=n_clusters)[cluster] + 0.1 * rng.normal(size=len(cluster))
    score = human + rng.normal(size=n_clusters)[cluster] + 0.1 * rng.normal(size=len(cluster))
    return human, score, cluster.astype(str)


def test_items_of_a_cluster_are_drawn_together_as_often_as_it_is():
    cluster = np.array([0, 2, 1, 0, 2, 2])
    weights = all_weights(ClusterBootstrap(3, 200, 1), cluster)
    np.testing.assert_array_equal(weights[0], weights[3])
    np.testing.assert_array_equal(weights[1], weights[4])
    np.testing.assert_array_equal(weights[[0, 1, 2]].sum(axis=0), np.full(200, 3.0))


def test_draws_do_not_depend_on_how_many_are_held_at_once(monkeypatch):
    cluster = np.arange(50) // 5
    at_once = all_weights(ClusterBootstrap(10, 64, 3), cluster)
    monkeypatch.setattr(bootstrap_module, "_BLOCK_ELEMENTS", 350)
    assert len(list(ClusterBootstrap(10, 64, 3).blocks(cluster))) == 10
    np.testing.assert_array_equal(all_weights(ClusterBootstrap(10, 64, 3), cluster), at_once)


def test_draws_come_from_the_seed():
    cluster = np.arange(30)
    first, again, other = (all_weights(ClusterBootstrap(30, 5, seed), cluster) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("metric", "plain"), [("spearman", stats.spearmanr), ("pearson", stats.pearsonr), ("kendall", stats.kendalltau)]
)
def test_group_intervals_equal_a_plain_loop_over_the_same_draws(metric, plain):
    rng = np.random.default_rng(5)
    n, resamples = 60, 60
    cluster, group = np.arange(n) // 4, np.arange(n) % 3
    human = rng.integers(1, 6, size=n).astype(float)
    score = np.round(human + rng.normal(size=n) * 2)
    found = evaluate_scores(
        human,
        {"judge": score},
        group=group,
        cluster=cluster,
        metrics=[metric],
        resamples=resamples,
        seed=9,
        interval="percentile",
    )
    # evaluate_scores numbers clusters by their sorted names
    codes = np.unique(cluster.astype(str), return_inverse=True)[1]
    weights = all_weights(ClusterBootstrap(15, resamples, 9), codes).astype(int)

    def of(rows):
        means = [plain(score[r], human[r]).statistic for g in range(3) if len(r := rows[group[rows] == g])]
        return np.mean(means)

    loop = [of(np.repeat(np.arange(n), weights[:, b])) for b in range(resamples)]
    estimate = found["judge"].metrics[metric]
    assert estimate.estimate == pytest.approx(of(np.arange(n)), abs=1e-12)
    np.testing.assert_allclose([estimate.low, estimate.high], np.quantile(loop, [0.025, 0.975]), atol=1e-12)


def test_intervals_over_clusters_are_wider_than_over_their_items():
    human, score, cluster = clustered()
    widths = {}
    for name, column in (("clusters", cluster), ("items", None)):
        estimate = evaluate_scores(human, {"judge": score}, cluster=column, resamples=300)["judge"].metrics["spearman"]
        widths[name] = estimate.high - estimate.low
    assert widths["clusters"] > 2 * widths["items"]


def test_clusters_span_groups():
    """With every cluster in both groups the groups' errors move together; drawn apart they would cancel."""
    human, score, cluster = clustered(size=2)
    group = np.tile(["a", "b"], 40)
    together = evaluate_scores(human, {"j": score}, group=group, cluster=cluster, resamples=400)["j"].metrics
    own = [f"{c}{g}" for c, g in zip(cluster, group, strict=True)]
    apart = evaluate_scores(human, {"j": score}, group=group, cluster=own, resamples=400)["j"].metrics
    width = {name: m["pearson"].high - m["pearson"].low for name, m in (("together", together), ("apart", apart))}
    assert width["together"] > 1.2 * width["apart"]


def test_a_single_cluster_has_no_interval():
    result = evaluate_scores([1, 2, 3, 4], {"j": [1, 2, 4, 3]}, cluster=["one"] * 4, resamples=50)
    estimate = result["j"].metrics["spearman"]
    assert estimate.estimate == pytest.approx(0.8)
    assert (estimate.low, estimate.high) == (None, None)
    assert "one cluster" in estimate.reason


def test_items_without_a_cluster_are_clusters_of_their_own():
    result = evaluate_scores(np.arange(6), {"j": np.arange(6)}, cluster=["a", "a", None, None, "b", None], resamples=0)
    assert result.n_clusters == 5


def test_resamples_in_which_a_metric_is_undefined_are_counted_and_left_out():
    interval = percentile_interval(np.array([np.nan, 0.1, 0.2, 0.3]))
    assert interval.undefined == 1
    assert 0.1 <= interval.low <= interval.high <= 0.3


def test_mostly_undefined_resamples_give_no_interval():
    interval = percentile_interval(np.array([np.nan, np.nan, 0.2, 0.3]))
    assert (interval.low, interval.high) == (None, None)
    assert "undefined in 2 of 4" in interval.reason


def test_groups_undefined_in_a_resample_are_left_out_of_its_mean_and_gaps_of_a_judge_keep_their_clusters():
    rng = np.random.default_rng(8)
    n, resamples = 24, 80
    cluster, group = np.arange(n) // 2, np.arange(n) % 6
    human = rng.integers(1, 4, size=n).astype(float)
    score = human + rng.integers(-1, 2, size=n)
    score[[0, 7]] = np.nan
    found = evaluate_scores(
        human,
        {"judge": score},
        group=group,
        cluster=cluster,
        metrics=["pearson"],
        resamples=resamples,
        seed=2,
        interval="percentile",
    )["judge"].metrics["pearson"]
    codes = np.unique(cluster.astype(str), return_inverse=True)[1]
    weights = all_weights(ClusterBootstrap(12, resamples, 2), codes).astype(int)
    weights[[0, 7]] = 0
    loop, undefined = [], 0
    for column in weights.T:
        values = []
        for g in range(6):
            rows = np.repeat(np.arange(n), column * (group == g))
            if len(rows) > 1 and np.ptp(score[rows]) and np.ptp(human[rows]):
                values.append(stats.pearsonr(score[rows], human[rows]).statistic)
            else:
                undefined += 1
        loop.append(np.mean(values) if values else np.nan)
    assert undefined > resamples
    assert found.undefined_resamples == np.isnan(loop).sum() > 0
    np.testing.assert_allclose([found.low, found.high], np.nanquantile(loop, [0.025, 0.975]), atol=1e-12)


def test_items_without_a_cluster_are_drawn_one_by_one():
    result = LabelledScores.check(
        np.arange(5), {"j": np.arange(5)}, group=None, cluster=["a", None, "a", None, "b"], system=None
    )
    n_clusters, codes = result.cluster_codes()
    assert n_clusters == 4
    assert codes[0] == codes[2]
    assert len(set(codes)) == 4
