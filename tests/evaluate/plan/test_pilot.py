"""A pilot gives the number that its population needs, with an interval whose upper end is safe."""

import numpy as np
import pytest
from lager import LagerError, estimate_means, plan_from_pilot, plan_labels


def drawn(seed, *, n_clusters=600, per_cluster=2, pilot=120, correlation=0.7, systems=1):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), per_cluster)
    n = len(cluster)
    human = np.sqrt(0.3) * rng.normal(size=n_clusters)[cluster] + np.sqrt(0.7) * rng.normal(size=n)
    judge = correlation * human + np.sqrt(1 - correlation**2) * rng.normal(size=n)
    system = np.arange(n) % systems
    return np.where(np.arange(n) < pilot, human, np.nan), judge, cluster, system, human


def test_a_pilot_finds_what_its_population_needs():
    found = []
    for seed in range(8):
        human, judge, cluster, _, _ = drawn(seed)
        found.append(plan_from_pilot("mean", 0.15, human, {"judge": judge}, cluster=cluster))
    stated = plan_labels("mean", 0.15, correlation=0.7, likeness=0.3, per_cluster=2, n_items=1200, n_clusters=600)
    assert np.median([one.alone for one in found]) == pytest.approx(stated.alone, rel=0.15)
    assert np.median([one.with_judge for one in found]) == pytest.approx(stated.with_judge, rel=0.2)
    assert np.mean([one.alone_low <= stated.alone <= one.alone_high for one in found]) >= 0.6


def test_the_upper_end_reaches_the_width_nearly_always():
    reached = []
    for seed in range(10):
        human, judge, cluster, _, truth = drawn(seed, pilot=60)
        n = plan_from_pilot("mean", 0.18, human, {"judge": judge}, cluster=cluster).with_judge_high
        labelled = np.where(np.arange(len(truth)) < n, truth, np.nan)
        (mean,) = estimate_means(labelled, {"judge": judge}, cluster=cluster, resamples=0).means
        reached.append((mean.high - mean.low) / 2 <= 0.18)
    assert np.mean(reached) >= 0.8


def test_systems_that_share_texts_are_told_apart_by_pairs():
    human, judge, cluster, system, _ = drawn(1, systems=2, pilot=200)
    plan = plan_from_pilot("difference", 0.4, human, {"judge": judge}, cluster=cluster, system=system)
    assert plan.n_systems == 2
    assert plan.with_judge < plan.alone
    shared = human + 3 * np.random.default_rng(1).normal(size=600)[cluster]
    paired = plan_from_pilot("difference", 0.4, shared, {"judge": judge}, cluster=cluster, system=system)
    assert paired.alone < 3 * plan.alone  # not ten times, as the means by themselves would need


def test_agreement_needs_the_more_labels_the_narrower_it_is_to_be():
    human, judge, cluster, _, _ = drawn(2)
    wide, narrow = (
        plan_from_pilot("agreement", width, human, {"judge": judge}, cluster=cluster) for width in (0.1, 0.05)
    )
    assert wide.alone_low < wide.alone < wide.alone_high
    assert narrow.alone == pytest.approx(4 * wide.alone, rel=0.15)
    assert wide.with_judge is None


def test_non_inferiority_takes_the_raters():
    human, judge, cluster, _, truth = drawn(3)
    rng = np.random.default_rng(5)
    raters = np.where(np.isfinite(human)[:, None], truth[:, None] + 0.6 * rng.normal(size=(len(truth), 3)), np.nan)
    found = plan_from_pilot("non-inferiority", 0.1, human, {"judge": judge}, cluster=cluster, raters=raters)
    assert found.alone_low < found.alone
    assert "in the pilot the judge's agreement is" in found.notes[0]
    with pytest.raises(LagerError, match="told by each rater's scores"):
        plan_from_pilot("non-inferiority", 0.1, human, {"judge": judge}, cluster=cluster)


def test_pilots_that_say_nothing_are_refused():
    human, judge, cluster, _, _ = drawn(1, pilot=6)
    with pytest.raises(LagerError, match="labels are in 3 clusters"):
        plan_from_pilot("mean", 0.1, human, {"judge": judge}, cluster=cluster)
    human, judge, cluster, _, _ = drawn(1)
    with pytest.raises(LagerError, match="labels are of one system"):
        plan_from_pilot("difference", 0.1, human, {"judge": judge}, cluster=cluster)


def test_agreement_is_the_mean_over_groups_where_there_are_groups():
    human, judge, cluster, _, _ = drawn(4, pilot=200)
    group = np.where(np.arange(len(human)) % 2, "a", "b")
    shifted = human + 3.0 * (group == "a")  # the judge does not see which criterion it is: pooled it agrees less
    pooled = plan_from_pilot("agreement", 0.1, shifted, {"judge": judge}, cluster=cluster)
    within = plan_from_pilot("agreement", 0.1, shifted, {"judge": judge}, cluster=cluster, group=group)
    assert within.alone < pooled.alone
