"""Jackknife-t intervals: a plain loop over left-out clusters, and nothing where they cannot be right."""

import numpy as np
import pytest
from lager.data.scale import Scale
from lager.evaluate.agreement import bootstrap
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.bootstrap import ClusterBootstrap
from lager.evaluate.agreement.jackknife import (
    NO_VARIATION,
    ONE_PART,
    SPACES,
    effective_number,
    jackknife_interval,
    jackknife_p,
)
from lager.evaluate.metrics.metrics import METRICS
from scipy import stats

SCALE = Scale.parse("1-5")


@pytest.fixture(scope="module")
def judged():
    """Twelve unequal clusters in two groups, two judges."""
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(12), rng.integers(2, 9, size=12))
    group = np.arange(len(cluster)) % 2
    quality = rng.normal(size=12)[cluster] + rng.normal(size=len(cluster))
    human = np.clip(np.round(3 + quality), 1, 5)
    scores = {name: np.clip(3 + quality + rng.normal(size=len(cluster)), 1, 5) for name in ("a", "b")}
    return human, scores, group, cluster


def mean_of_groups(human, score, group, rows):
    return np.mean([stats.spearmanr(score[rows & (group == g)], human[rows & (group == g)]).statistic for g in (0, 1)])


def by_hand(point, left_out, sizes, there, back):
    z, out = there(point), there(np.array(left_out))
    error = np.sqrt(np.sum((out - z) ** 2))
    freedom = sizes.sum() ** 2 / np.sum(sizes**2) - 1
    reach = stats.t.ppf(0.975, freedom) * error
    return back(z - reach), back(z + reach), 2 * stats.t.sf(abs(z) / error, freedom)


def as_it_is(x):
    return x


def test_the_interval_of_a_group_mean_is_that_of_a_plain_loop(judged):
    human, scores, group, cluster = judged
    found = evaluate_scores(human, scores, group=group, cluster=cluster, metrics=["spearman"], baseline="b")
    sizes = np.bincount(cluster).astype(float)
    points, outs = {}, {}
    for name, score in scores.items():
        points[name] = mean_of_groups(human, score, group, cluster >= 0)
        outs[name] = np.array([mean_of_groups(human, score, group, cluster != c) for c in range(12)])
    low, high, _ = by_hand(points["a"], outs["a"], sizes, np.arctanh, np.tanh)
    estimate = found["a"].metrics["spearman"]
    assert (found.interval, estimate.low, estimate.high) == ("jackknife", pytest.approx(low), pytest.approx(high))
    low, high, p = by_hand(points["a"] - points["b"], outs["a"] - outs["b"], sizes, as_it_is, as_it_is)
    one = found.comparison.differences["a"]["spearman"]
    assert (one.low, one.high, one.p) == (pytest.approx(low), pytest.approx(high), pytest.approx(p))
    assert (one.groups, one.undefined_groups) == (2, 0)


def test_figures_of_one_group_rest_on_its_own_clusters(judged):
    human, scores, group, cluster = judged
    nested = np.where(group == 0, cluster, cluster + 12)
    found = evaluate_scores(human, scores, group=group, cluster=nested, metrics=["pearson"])
    rows = group == 0
    alone = evaluate_scores(human[rows], {"a": scores["a"][rows]}, cluster=nested[rows], metrics=["pearson"])
    estimate, expected = found["a"].groups[0].metrics["pearson"], alone["a"].metrics["pearson"]
    assert estimate.low == pytest.approx(expected.low, abs=1e-5)
    assert estimate.high == pytest.approx(expected.high, abs=1e-5)


def test_every_interval_holds_its_estimate_and_stays_in_range(judged):
    human, scores, group, cluster = judged
    found = evaluate_scores(human, scores, group=group, cluster=cluster, scale=SCALE)
    within = {"correlation": (-1, 1), "share": (0, 1), "error": (0, np.inf), "mean square": (0, np.inf)}
    for name, one in found["a"].metrics.items():
        metric = METRICS[name]
        if metric.no_interval is not None:
            assert (one.low, one.high, one.reason) == (None, None, metric.no_interval)
            continue
        least, most = within[metric.space]
        assert least <= one.low < one.estimate < one.high <= most


@pytest.mark.parametrize("kind", ["jackknife", "percentile", "bca"])
@pytest.mark.parametrize("name", ["kl", "wasserstein", "calibration_error", "range_used"])
def test_what_any_sample_makes_larger_has_no_interval_and_no_test(judged, kind, name):
    human, scores, group, cluster = judged
    options = {"metrics": [name], "interval": kind, "resamples": 30, "baseline": "b"}
    found = evaluate_scores(human, scores, group=group, cluster=cluster, scale=SCALE, **options)
    one, difference = found["a"].metrics[name], found.comparison.differences["a"][name]
    assert one.estimate is not None
    assert one.low is None
    assert one.reason == difference.reason == METRICS[name].no_interval
    assert (difference.low, difference.p) == (None, None)


def test_p_is_below_five_percent_where_the_interval_leaves_out_zero():
    rng = np.random.default_rng(0)
    for shift in np.linspace(-1, 1, 41):
        left_out = shift + 0.1 * rng.normal(size=20)
        interval = jackknife_interval(shift, left_out, 17.0, SPACES["difference"])
        p = jackknife_p(shift, left_out, 17.0)
        assert (p < 0.05) == (interval.low > 0 or interval.high < 0)


def test_what_no_cluster_moves_has_no_interval_and_one_cluster_none_either():
    perfect = np.arange(20.0)
    found = evaluate_scores(perfect, {"j": perfect, "k": perfect**3}, baseline="j", metrics=["spearman"])
    assert found["j"].metrics["spearman"].reason == NO_VARIATION
    assert found.comparison.differences["k"]["spearman"].p == 1.0
    found = evaluate_scores([1, 2, 3], {"j": [1, 3, 2]}, cluster=["one"] * 3)["j"].metrics["spearman"]
    assert (found.low, found.reason) == (None, ONE_PART)
    assert jackknife_interval(0.5, np.array([0.5]), 1.0, SPACES["share"]).reason == ONE_PART


def test_figures_at_an_end_of_their_range_are_taken_as_they_are():
    found = jackknife_interval(0.9, np.array([0.8, 1.0, 0.9]), 3.0, SPACES["correlation"])
    assert (found.high, found.reason) == (1.0, None)
    assert found.low < 0.9


def test_clusters_without_which_a_figure_is_undefined_are_counted():
    found = jackknife_interval(0.5, np.array([np.nan, 0.4, 0.6, 0.55]), 4.0, SPACES["correlation"])
    assert found.undefined == 1
    assert found.low < 0.5 < found.high
    found = jackknife_interval(0.5, np.array([np.nan, np.nan, 0.6, 0.55]), 4.0, SPACES["correlation"])
    assert (found.low, found.reason) == (None, "undefined without one of 2 of 4 clusters")


def test_a_cluster_that_alone_makes_a_group_defined_does_not_change_what_is_averaged():
    """Without cluster 0 the second group, of low agreement, is constant; it must not leave the mean with it."""
    human = np.array([1, 2, 3, 4, 2, 4, 5, 1, 1, 5, 3, 3, 3, 3], dtype=float)
    score = np.array([1, 3, 2, 4, 1, 5, 4, 2, 5, 1, 3.1, 3.2, 3.3, 3.4])
    group = np.array([0] * 8 + [1] * 6)
    cluster = np.array([0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 1, 1, 2, 3])
    found = evaluate_scores(human, {"j": score}, group=group, cluster=cluster, metrics=["spearman"])["j"]
    assert found.groups[0].metrics["spearman"].estimate - found.metrics["spearman"].estimate > 0.5
    assert found.metrics["spearman"].high < 0.9


def test_unequal_parts_tell_less():
    assert effective_number(np.array([3, 3, 3])) == pytest.approx(3)
    assert effective_number(np.array([8, 1, 1])) == pytest.approx(100 / 66)


def test_many_clusters_are_dealt_to_parts_and_the_same_part_is_the_same_clusters(monkeypatch):
    cluster = np.array([0, 1, 1, 2])
    weights = np.concatenate(list(ClusterBootstrap(3, 10, 0).parts(cluster).left_out()), axis=1)
    np.testing.assert_array_equal(weights.T, [[0, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 0]])
    monkeypatch.setattr(bootstrap, "_FEWEST_PARTS", 5)
    parts = ClusterBootstrap(20, 5, 0).parts(np.arange(20))
    weights = np.concatenate(list(parts.left_out()), axis=1)
    assert weights.shape == (20, 5)
    np.testing.assert_array_equal((weights == 0).sum(axis=1), np.ones(20))
    np.testing.assert_array_equal((weights == 0).sum(axis=0), np.full(5, 4))
    some = ClusterBootstrap(20, 5, 0).parts(np.arange(3, 20))
    np.testing.assert_array_equal(some.ids[some.place], parts.ids[parts.place[3:]])


def test_intervals_cover_about_as_often_as_they_say():
    """Spearman of 12 clusters whose items are alike, and a difference of two equally good judges."""
    covered = []
    truth = 6 / np.pi * np.arcsin(0.8 / 2)
    for seed in range(120):
        rng = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(12), 5)
        alike, own = np.sqrt(0.7) * rng.normal(size=(12, 3))[cluster], np.sqrt(0.3) * rng.normal(size=(60, 3))
        quality, *errors = (alike + own).T
        judges = {name: quality + 0.75 * error for name, error in zip("ab", errors, strict=True)}
        found = evaluate_scores(quality, judges, cluster=cluster, metrics=["spearman"], baseline="b")
        one, other = found["a"].metrics["spearman"], found.comparison.differences["a"]["spearman"]
        covered.append([one.low <= truth <= one.high, other.low <= 0 <= other.high])
    assert (np.mean(covered, axis=0) > 0.9).all()
