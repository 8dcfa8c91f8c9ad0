"""Labels that were not drawn at random are found; those that were, by items or by whole clusters, are not suspected."""

import numpy as np
import pytest
from lager.evaluate.estimate.random_labels import random_labels_p


def drawn(seed, *, n_clusters=60, size=5):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), size)
    domain = rng.integers(0, 2, len(cluster))
    judge = rng.normal(size=n_clusters)[cluster] + rng.normal(size=len(cluster)) + 2 * domain
    return rng, judge, domain, cluster


@pytest.mark.parametrize("whole_clusters", [True, False])
def test_labels_at_random_are_rarely_suspected(whole_clusters):
    p = []
    for seed in range(60):
        rng, judge, domain, cluster = drawn(seed)
        labelled = (rng.random(60) < 0.3)[cluster] if whole_clusters else rng.random(len(cluster)) < 0.3
        p.append(random_labels_p(judge, labelled, domain=domain, cluster=cluster, seed=1))
    assert np.mean(np.array(p) <= 0.05) <= 0.13
    assert min(p) > 0.001


def test_a_choice_by_score_is_found():
    rng, judge, domain, cluster = drawn(1, n_clusters=100)
    labelled = rng.random(len(cluster)) < np.where(judge > np.median(judge), 0.6, 0.1)
    assert random_labels_p(judge, labelled, domain=domain, cluster=cluster, seed=1) < 0.001


def test_a_choice_of_clusters_is_found_and_one_by_system_is_none():
    rng, judge, domain, cluster = drawn(2, n_clusters=100)
    level = np.bincount(cluster, weights=judge)
    high = (level > np.quantile(level, 0.7))[cluster]
    assert random_labels_p(judge, high, domain=domain, cluster=cluster, seed=1) < 0.001
    by_system = rng.random(len(cluster)) < np.where(domain == 1, 0.6, 0.2)
    assert random_labels_p(judge, by_system, domain=domain, cluster=cluster, seed=1) > 0.01


def test_known_chances_are_tested_by_their_weights():
    right, wrong = [], []
    for seed in range(40):
        rng, judge, domain, cluster = drawn(seed, n_clusters=80)
        chance = np.where(judge > np.median(judge), 0.5, 0.1)
        labelled = rng.random(len(judge)) < chance
        for p, given in ((right, chance), (wrong, np.where(judge > np.median(judge), 0.3, 0.29))):
            weight = np.where(labelled, 1 / given, 0.0)
            p.append(random_labels_p(judge, labelled, domain=domain, cluster=cluster, weight=weight, seed=1))
    assert min(right) > 0.001
    assert np.mean(np.array(right) <= 0.05) <= 0.15
    assert np.mean(np.array(wrong) <= 0.001) >= 0.9


def test_a_judge_without_spread_shows_nothing():
    _, judge, domain, cluster = drawn(3)
    assert random_labels_p(np.ones_like(judge), cluster < 20, domain=domain, cluster=cluster, seed=1) == 1.0
