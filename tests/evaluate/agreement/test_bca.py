"""BCa intervals are scipy's on the same replicates, and say so where there are none."""

import numpy as np
import pytest
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.bootstrap import ClusterBootstrap
from lager.evaluate.agreement.intervals import bca_interval, bca_p
from scipy import stats
from scipy.stats import _resampling


def sample(n=60, seed=0):
    rng = np.random.default_rng(seed)
    human = rng.integers(1, 6, size=n).astype(float)
    return human, human + rng.normal(size=n) * 1.5


def pearson(x, y):
    return stats.pearsonr(x, y).statistic


def test_bounds_equal_scipy_on_the_same_replicates():
    human, score = sample()
    bootstrap = ClusterBootstrap(60, 400, 3)
    weights = np.concatenate(list(bootstrap.blocks(np.arange(60))), axis=1).astype(int)
    drawn = [np.repeat(np.arange(60), column) for column in weights.T]
    replicates = np.array([pearson(score[rows], human[rows]) for rows in drawn])
    options = {"paired": True, "vectorized": False, "method": "BCa", "n_resamples": 0}
    kept = _resampling.BootstrapResult(confidence_interval=None, bootstrap_distribution=replicates, standard_error=0.0)
    expected = stats.bootstrap((score, human), pearson, bootstrap_result=kept, **options).confidence_interval
    found = evaluate_scores(human, {"j": score}, metrics=["pearson"], resamples=400, seed=3, interval="bca")[
        "j"
    ].metrics["pearson"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_bca_differs_from_percentile_where_the_replicates_are_skewed():
    human, score = sample(20, seed=2)
    bounds = {}
    for kind in ("percentile", "bca"):
        result = evaluate_scores(human, {"j": score}, metrics=["pearson"], resamples=300, interval=kind)
        assert result.interval == kind
        estimate = result["j"].metrics["pearson"]
        bounds[kind] = (estimate.low, estimate.high)
    assert bounds["bca"] != bounds["percentile"]
    assert abs(bounds["bca"][0] - bounds["percentile"][0]) < 0.2


def test_p_is_below_five_percent_where_the_interval_leaves_out_zero():
    """The percentile p of 10 of 120 such differences contradicted their BCa intervals."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        replicates = np.exp(rng.normal(size=999) * 0.4) - rng.uniform(0.3, 0.6)
        left_out = np.exp(rng.normal(size=30) * 0.1)
        interval = bca_interval(replicates, 0.5, left_out)
        p = bca_p(replicates, 0.5, left_out)
        assert 0 < p <= 1
        assert (p < 0.05) == (interval.low > 0 or interval.high < 0)
        assert bca_p(-replicates, -0.5, -left_out) == pytest.approx(p)


def test_p_without_a_bca_interval():
    assert bca_p(np.array([0.1, 0.2, 0.3]), 0.5, np.array([0.4, 0.5])) is None
    assert bca_p(np.zeros(50), 0.0, np.zeros(5)) == 1.0
    assert bca_p(np.full(3, np.nan), 0.1, np.zeros(5)) is None


def test_replicates_on_one_side_of_the_estimate_give_no_interval_but_a_reason():
    interval = bca_interval(np.array([0.1, 0.2, 0.3]), 0.5, np.array([0.4, 0.5]))
    assert (interval.low, interval.high) == (None, None)
    assert interval.reason == "all resamples lie on one side of the estimate"


def test_constant_replicates_give_a_point():
    interval = bca_interval(np.ones(50), 1.0, np.ones(5))
    assert (interval.low, interval.high) == (1.0, 1.0)


def test_groups_and_differences_have_bca_intervals_too():
    human, score = sample(80)
    group = np.arange(80) % 2
    result = evaluate_scores(
        human, {"a": score, "b": -score}, group=group, resamples=60, interval="bca", baseline="b", metrics=["kendall"]
    )
    for one in result["a"].groups:
        assert one.metrics["kendall"].low < one.metrics["kendall"].estimate < one.metrics["kendall"].high
    found = result.comparison.differences["a"]["kendall"]
    assert found.low < found.difference < found.high
