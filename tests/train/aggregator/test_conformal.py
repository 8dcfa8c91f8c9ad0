"""Intervals cover what they say they cover, also where items of a cluster err alike."""

import math

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.train.aggregator.conformal import Calibration, conformal_radii, fewest_clusters

SCALE = Scale.parse("1-5")


def drawn(rng, n_clusters, *, unequal, growth, likeness):
    """Errors in clusters of 1 to some 40 items, or of 5; the spread may grow with a cluster's size."""
    sizes = (
        np.maximum(1, np.rint(rng.lognormal(1.3, 1.0, n_clusters))).astype(int) if unequal else np.full(n_clusters, 5)
    )
    cluster = np.repeat(np.arange(n_clusters), sizes)
    noise = math.sqrt(likeness) * rng.normal(size=n_clusters)[cluster]
    noise = noise + math.sqrt(1 - likeness) * rng.normal(size=len(cluster))
    return np.abs(noise) * (1 + growth * np.log(sizes[cluster])), cluster


@pytest.mark.parametrize("n_clusters", [20, 40])
@pytest.mark.parametrize(
    ("unequal", "growth", "likeness"),
    [(False, 0, 0), (False, 0, 0.7), (True, 0, 0.7), (True, 0.5, 0), (True, 0.5, 0.7)],
)
def test_the_stated_share_of_items_is_covered_also_where_large_clusters_err_more(unequal, growth, likeness, n_clusters):
    shape = {"unequal": unequal, "growth": growth, "likeness": likeness}
    new, _ = drawn(np.random.default_rng(0), 5000, **shape)
    covered = []
    for seed in range(300):
        error, _ = drawn(np.random.default_rng([1, seed]), n_clusters, **shape)
        radii = conformal_radii(error, n_clusters, levels=[0.8, 0.9])
        covered.append([(new <= radius).mean() for radius in radii.values()])
    assert (np.mean(covered, axis=0) > np.array([0.8, 0.9]) - 0.025).all()
    assert (np.mean(covered, axis=0) < np.array([0.8, 0.9]) + 0.05).all()


def test_clusters_of_one_item_give_the_order_statistic_of_split_conformal():
    error = np.arange(1.0, 20.0)  # 19 items: ceil(20 * 0.9) = 18
    assert conformal_radii(error, 19, levels=[0.9, 0.95]) == {0.9: 18.0, 0.95: 19.0}
    assert conformal_radii(error[::-1].copy(), 19, levels=[0.9]) == {0.9: 18.0}


def test_clusters_of_many_items_take_the_order_statistic_of_all_items_and_a_cluster_more():
    error = np.arange(1.0, 41.0)  # 40 items in 10 clusters of 4: ceil(0.9 * 44) = 40, ceil(0.8 * 44) = 36
    assert conformal_radii(error, 10, levels=[0.8, 0.9]) == {0.8: 36.0, 0.9: 40.0}


def test_large_clusters_count_by_their_items():
    # One cluster of a thousand large errors among 99 of one small error each: most items have large errors.
    error = np.concatenate([np.full(1000, 9.0), np.full(99, 1.0)])
    assert conformal_radii(error, 100, levels=[0.9]) == {0.9: 9.0}


def test_too_few_clusters_for_a_level_are_refused_with_the_number_that_it_takes():
    assert [fewest_clusters(level) for level in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    conformal_radii(np.ones(19), 19, levels=[0.95])
    with pytest.raises(LagerError, match=r"level 0\.95 takes at least 19 .* got 18"):
        conformal_radii(np.ones(18), 18, levels=[0.95])


@pytest.mark.parametrize("level", [0.0, 1.0, 90.0, math.nan])
def test_a_level_that_is_no_probability_is_refused(level):
    with pytest.raises(LagerError, match="between 0 and 1"):
        conformal_radii(np.ones(50), 50, levels=[level])


def test_intervals_stay_on_the_scale_and_missing_scores_have_none():
    calibration = Calibration({0.9: 1.5}, SCALE, 20, 20, "r", "f", "i")
    low, high = calibration.intervals(np.array([1.2, 3.0, 4.9, np.nan]))[0.9]
    np.testing.assert_allclose(low, [1.0, 1.5, 3.4, np.nan])
    np.testing.assert_allclose(high, [2.7, 4.5, 5.0, np.nan])


def test_a_calibration_survives_its_file_form_and_a_damaged_one_is_refused():
    calibration = Calibration({0.8: 0.5, 0.9: 1.5}, SCALE, 20, 7, "r", "f", "i")
    raw = calibration.as_json()
    assert Calibration.from_json(raw) == calibration
    assert Calibration.from_json(None) is None
    for damage in (
        {"radii": []}, {"radii": [[0.9, -1]]}, {"radii": [[0.9, math.nan]]}, {"radii": [[1.0, 1]]}, {"n": 0},
        {"n_clusters": True}, {"fingerprint": None}, {"scale": {}}, {"more": 1},
    ):  # fmt: skip
        with pytest.raises(LagerError):
            Calibration.from_json({**raw, **damage})
