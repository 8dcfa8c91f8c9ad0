"""Labels that are all the same, or nearly, are no certainty: no interval of a mean, an exact one of a share."""

import numpy as np
import pytest
from lager import estimate_means
from lager.evaluate.estimate.alike_labels import exact_share
from lager.evaluate.estimate.mean_table import mean_table
from scipy.stats import binomtest


def few_labels(values, *, n=60, seed=0, system="a"):
    """A system's human scores, of which the first are known, and a judge who knows little."""
    human = np.r_[values, np.full(n - len(values), np.nan)]
    return human, np.random.default_rng(seed).normal(size=n), np.full(n, system)


def test_a_mean_of_equal_labels_has_no_interval_and_is_compared_with_none():
    parts = [
        few_labels([4.0] * 20, system="same"),
        few_labels([4.0] * 20, system="same too", seed=1),
        few_labels(np.random.default_rng(2).normal(3, 1, 20), system="other", seed=2),
    ]
    human, judge, system = (np.concatenate(column) for column in zip(*parts, strict=True))
    found = estimate_means(human, {"judge": judge}, system=system)
    means = {one.name: one for one in found.means}
    assert means["same"].labelled_mean == 4.0
    assert means["same"].low is means["same"].labelled_low is means["same"].error is None
    assert "labels are all the same" in means["same"].reason
    assert means["other"].low < means["other"].mean < means["other"].high
    assert found.differences == found.ranks == found.orders == ()
    assert not any("are told apart" in note for note in mean_table(found).notes)


def test_systems_that_always_lie_equally_far_apart_are_not_certain():
    human = np.tile([1.0, 2.0, 3.0, 4.0, 5.0], 4)
    both, system = np.r_[human, human + 1], np.repeat(["a", "b"], 20)
    cluster = np.tile(np.arange(20), 2)
    found = estimate_means(both, {"judge": np.ones(40)}, system=system, cluster=cluster)
    assert found.differences == ()


@pytest.mark.parametrize("variance", ["jackknife", "iid"])
@pytest.mark.parametrize("at_least", [None, 1])
def test_a_share_of_equal_labels_has_the_exact_interval(at_least, variance):
    human, judge, _ = few_labels([1.0] * 20)
    (one,) = estimate_means(human, {"judge": judge}, at_least=at_least, variance=variance).means
    exact = binomtest(20, 20).proportion_ci()
    assert (one.labelled_low, one.labelled_high) == pytest.approx((exact.low, 1.0))
    assert one.low <= exact.low + 1e-9
    assert one.low <= one.mean <= one.high == 1.0
    assert one.error is None


def test_the_exact_interval_is_that_of_binomial_answers():
    for yes in (0, 1, 7, 20):
        assert exact_share(yes / 20, 20, 0.9) == pytest.approx(tuple(binomtest(yes, 20).proportion_ci(0.9)))


def test_clusters_are_what_counts():
    human, judge, _ = few_labels([1.0] * 20)
    (one,) = estimate_means(human, {"judge": judge}, cluster=np.arange(60) // 4).means
    assert one.labelled_low == pytest.approx(binomtest(5, 5).proportion_ci().low)


def test_rare_answers_are_covered():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        human, judge = (rng.random(60) < 0.95) * 1.0, rng.normal(size=60)
        human[20:] = np.nan
        (one,) = estimate_means(human, {"judge": judge}, resamples=0).means
        held += one.low <= 0.95 <= one.high
        assert one.low <= one.mean <= one.high
        assert one.low < one.high
    assert held >= 186


def test_an_estimate_of_yes_and_no_stays_a_share_with_its_interval():
    rng = np.random.default_rng(0)
    human = np.r_[np.ones(36), np.zeros(6), np.full(100, np.nan)]
    judge = np.r_[human[:42] + 0.1 * rng.normal(size=42), np.ones(100) * 1.3]
    (one,) = estimate_means(human, {"judge": judge}, weight=1.0, probability=np.r_[0.31, np.full(141, 0.3)]).means
    assert one.low <= one.mean == one.high == 1.0
