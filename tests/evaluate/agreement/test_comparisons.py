"""Differences to a baseline: paired, corrected, and silent where a test does not apply."""

import json

import numpy as np
import pytest
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.bootstrap import ClusterBootstrap
from lager.evaluate.agreement.difference import holm
from lager.evaluate.agreement.intervals import percentile_p
from lager.evaluate.agreement.williams import williams_test
from scipy import stats
from statsmodels.stats.multitest import multipletests


@pytest.fixture(scope="module")
def judges():
    """A good judge, one that is hardly worse, and noise."""
    rng = np.random.default_rng(1)
    human = rng.normal(size=150)
    good = human + 0.5 * rng.normal(size=150)
    return human, {"good": good, "alike": good + 0.05 * rng.normal(size=150), "noise": rng.normal(size=150)}


@pytest.mark.parametrize("n", [1, 3, 20])
def test_holm_is_that_of_statsmodels(n):
    p = np.random.default_rng(n).uniform(size=n) ** 2
    np.testing.assert_allclose(holm(p.tolist()), multipletests(p, method="holm")[1])


def test_p_counts_resamples_on_the_other_side_and_is_never_zero():
    assert percentile_p(np.full(99, 0.3)) == pytest.approx(0.02)
    assert percentile_p(np.array([-1.0, 1.0])) == 1.0
    assert percentile_p(np.array([np.nan, np.nan])) is None


def test_differences_are_paired_on_the_draws(judges):
    human, scores = judges
    options = {"baseline": "noise", "metrics": ["pearson"], "resamples": 80, "seed": 5, "interval": "percentile"}
    found = evaluate_scores(human, scores, **options).comparison
    weights = np.concatenate(list(ClusterBootstrap(150, 80, 5).blocks(np.arange(150))), axis=1).astype(int)
    loop = []
    for column in weights.T:
        rows = np.repeat(np.arange(150), column)
        good, noise = (stats.pearsonr(scores[name][rows], human[rows]).statistic for name in ("good", "noise"))
        loop.append(good - noise)
    one = found.differences["good"]["pearson"]
    np.testing.assert_allclose([one.low, one.high], np.quantile(loop, [0.025, 0.975]), atol=1e-12)
    assert one.p == percentile_p(np.array(loop))


def test_a_real_difference_is_significant_and_its_shadow_is_not(judges):
    human, scores = judges
    found = evaluate_scores(human, scores, baseline="good", metrics=["spearman", "mae"], resamples=400).comparison
    assert set(found.differences) == {"alike", "noise"}
    assert found.differences["noise"]["spearman"].significant
    assert found.differences["noise"]["spearman"].difference < 0 < found.differences["noise"]["mae"].difference
    assert not found.differences["alike"]["spearman"].significant
    for metrics in found.differences.values():
        for one in metrics.values():
            assert one.p <= one.p_holm <= 1


def test_judges_of_other_items_are_compared_on_what_both_scored(judges):
    human, scores = judges
    gap = scores["noise"].copy()
    gap[:50] = np.nan
    found = evaluate_scores(
        human, {"good": scores["good"], "gap": gap}, baseline="good", metrics=["pearson"], resamples=50
    )
    one = found.comparison.differences["gap"]["pearson"]
    good, noise = (stats.pearsonr(scores[name][50:], human[50:]).statistic for name in ("good", "noise"))
    assert one.n == 100
    assert one.difference == pytest.approx(noise - good, abs=1e-12)
    assert one.difference != pytest.approx(
        found["gap"].metrics["pearson"].estimate - found["good"].metrics["pearson"].estimate
    )


def test_judges_without_a_common_item_have_no_difference_but_a_reason():
    nan = np.nan
    found = evaluate_scores([1, 2, 3, 4], {"a": [1, 2, nan, nan], "b": [nan, nan, 1, 2]}, baseline="a", resamples=5)
    assert found.comparison.differences["b"]["pearson"].reason == "no item that both scored"


def test_undefined_figures_and_scores_off_the_scale_have_no_difference():
    scores = {"a": [1, 2, 3, 5], "flat": [2, 2, 2, 2], "length": [10, 20, 30, 90]}
    found = evaluate_scores([1, 2, 3, 4], scores, baseline="a", off_scale=["length"], resamples=20).comparison
    assert found.differences["flat"]["spearman"].difference is None
    assert found.differences["flat"]["spearman"].reason == "the figure is undefined"
    assert found.differences["length"]["mae"].reason == "not on the human score scale"
    json.dumps(found.as_json(), allow_nan=False)


def test_without_resamples_there_is_a_difference_and_no_test(judges):
    human, scores = judges
    one = evaluate_scores(human, scores, baseline="good", resamples=0).comparison.differences["noise"]["spearman"]
    assert one.difference < 0
    assert (one.p, one.p_holm, one.low) == (None, None, None)
    assert one.reason == "no resamples: no test"


def test_williams_gives_the_published_example():
    """Steiger's example as R's psych::r.test documents it: r12 = .5, r13 = .4, r23 = .1, n = 103."""
    result = williams_test(0.5, 0.4, 0.1, 103)
    assert result.t == pytest.approx(0.89, abs=0.005)
    assert result.p == pytest.approx(0.37, abs=0.006)
    assert result.df == 100
    assert williams_test(0.4, 0.5, 0.1, 103).t == -result.t


def test_williams_rejects_true_equality_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(400):
        human = rng.normal(size=60)
        r = np.corrcoef([human, human + rng.normal(size=60), human + rng.normal(size=60)])
        rejected += williams_test(r[0, 1], r[0, 2], r[1, 2], 60).p < 0.05
    assert 8 <= rejected <= 36


def test_williams_is_for_pooled_unclustered_pearson_only(judges):
    human, scores = judges

    def tested(**options):
        found = evaluate_scores(human, scores, baseline="good", resamples=10, **options).comparison
        assert found.differences["noise"]["spearman"].williams is None
        return found.differences["noise"]["pearson"].williams

    assert tested().p < 1e-6
    assert tested().p_holm >= tested().p
    grouped = tested(group=np.arange(150) % 3)
    assert (grouped.p, grouped.reason) == (None, "for pooled figures only, these are of level group")
    assert tested(cluster=np.arange(150) // 2).reason == "clusters are declared, so items are not independent"


def test_williams_of_equal_judges_has_a_reason(judges):
    human, scores = judges
    found = evaluate_scores(human, {"a": scores["good"], "b": 2 * scores["good"]}, baseline="a", resamples=5).comparison
    williams = found.differences["b"]["pearson"].williams
    assert (williams.p, williams.reason) == (None, "the two judges' scores agree but for scale and offset")
    assert williams_test(0.1, 0.2, 0.3, 3).reason == "3 items, it needs 4"
