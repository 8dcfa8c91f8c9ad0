"""Stated numbers give the labels that a simulation needs, and what is out of reach is said."""

import numpy as np
import pytest
from lager import LagerError, estimate_means, plan_labels
from scipy.stats import norm


def test_labels_for_a_mean_are_those_of_the_textbook():
    n = plan_labels("mean", 0.1, sd=1.0).alone
    assert n == pytest.approx((norm.ppf(0.975) / 0.1) ** 2, rel=0.02)
    assert plan_labels("mean", 0.1, sd=2.0).alone == pytest.approx(4 * n, rel=0.02)


def test_a_judge_helps_as_far_as_it_explains():
    found = plan_labels("mean", 0.1, correlation=0.8)
    assert found.with_judge == pytest.approx((1 - 0.64) * found.alone, rel=0.05)
    limited = plan_labels("mean", 0.1, correlation=0.8, n_items=1000, n_clusters=1000)
    assert found.with_judge < limited.with_judge < limited.alone


@pytest.mark.parametrize(("correlation", "per_cluster", "likeness"), [(0.0, 1, 0.0), (0.7, 1, 0.0), (0.7, 4, 0.5)])
def test_the_planned_number_reaches_the_width(correlation, per_cluster, likeness):
    width, n_items = 0.2, 1200
    plan = plan_labels(
        "mean", width, correlation=correlation, likeness=likeness, per_cluster=per_cluster, n_items=n_items,
        n_clusters=n_items / per_cluster,
    )  # fmt: skip
    n = plan.with_judge or plan.alone
    cluster = np.repeat(np.arange(n_items // per_cluster), per_cluster)
    reached = []
    for seed in range(8):
        rng = np.random.default_rng(seed)

        def alike(rng=rng):
            shared = rng.normal(size=n_items // per_cluster)[cluster]
            return np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * rng.normal(size=n_items)

        human = alike()
        judge = correlation * human + np.sqrt(1 - correlation**2) * alike()
        human[n:] = np.nan
        (mean,) = estimate_means(human, {"judge": judge}, cluster=cluster, resamples=0).means
        reached.append((mean.high - mean.low) / 2)
    assert (width / np.mean(reached)) ** 2 == pytest.approx(1, abs=0.15)


def test_systems_nearer_to_each_other_need_more_labels():
    near, far = (plan_labels("difference", distance).alone for distance in (0.2, 0.4))
    assert near == pytest.approx(2 * ((norm.ppf(0.975) + norm.ppf(0.8)) / 0.2) ** 2, rel=0.02)
    assert near == pytest.approx(4 * far, rel=0.03)


def test_clusters_that_run_out_end_what_labels_can_do():
    assert plan_labels("mean", 0.05, likeness=0.5, n_items=10_000, n_clusters=50).alone is None
    assert plan_labels("mean", 0.5, likeness=0.5, n_items=10_000, n_clusters=50).alone is not None


def test_agreement_and_non_inferiority_have_no_help_of_the_judge():
    found = plan_labels("agreement", 0.1, correlation=0.5)
    assert found.with_judge is None
    assert found.alone == pytest.approx(((1 - 0.25) * 1.96 / 0.1) ** 2 * (1 + 0.125), rel=0.08)
    assert plan_labels("agreement", 0.1, correlation=0.9).alone < found.alone
    alike = plan_labels("agreement", 0.1, correlation=0.5, per_cluster=5, likeness=0.5)
    assert alike.alone == pytest.approx(2 * found.alone, rel=0.1)
    margin = plan_labels("non-inferiority", 0.1)
    assert margin.alone == pytest.approx((2.8016 / 0.1) ** 2, rel=0.02)
    assert plan_labels("non-inferiority", 0.1, expected=0.1).alone == pytest.approx(margin.alone / 4, rel=0.05)


@pytest.mark.parametrize(
    ("goal", "target", "options", "said"),
    [
        ("median", 0.1, {}, "goal 'median': choose from mean, difference, agreement, non-inferiority"),
        ("mean", 0.0, {}, "the half-width of a system's mean is 0, expected more than 0"),
        ("agreement", 1.5, {}, "a half-width of 1.5, expected less than 1"),
        ("mean", 0.1, {"sd": -1}, "a standard deviation of -1"),
        ("mean", 0.1, {"correlation": 1.0}, "a correlation of 1, expected one between"),
        ("mean", 0.1, {"likeness": 2}, "a likeness of 2"),
        ("mean", 0.1, {"per_cluster": 0.5}, "0.5 labels in a cluster"),
        ("mean", 0.1, {"power": 80}, "power 80: expected a share"),
        ("mean", 0.1, {"n_items": -5}, "-5 items in -5 clusters"),
        ("mean", 0.1, {"n_items": 50, "n_clusters": 60}, "50 items in 60 clusters"),
    ],
)
def test_numbers_out_of_range_are_refused(goal, target, options, said):
    with pytest.raises(LagerError, match=said):
        plan_labels(goal, target, **options)
