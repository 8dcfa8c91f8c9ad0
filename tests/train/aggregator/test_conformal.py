"""Intervals cover what they say they cover, also where items of a cluster err alike."""

import math

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.train.aggregator.conformal import Calibration, conformal_radii, fewest_clusters

LEVELS = (0.8, 0.9, 0.95)
SCALE = Scale.parse("1-5")


def coverage(error, cluster, *, n_calibration, splits=200):
    """Shares of items of new clusters that are covered: ndarray of shape (splits, n_levels)."""
    names = np.unique(cluster)
    shares = []
    for split in range(splits):
        drawn = np.random.default_rng(split).permutation(names)[:n_calibration]
        calibrating = np.isin(cluster, drawn)
        radii = conformal_radii(error[calibrating], cluster[calibrating], levels=LEVELS, seed=split)
        shares.append([(error[~calibrating] <= radius).mean() for radius in radii.values()])
    return np.array(shares)


@pytest.mark.parametrize("likeness", [0.0, 0.9], ids=["items-independent", "items-of-a-cluster-alike"])
def test_mean_coverage_of_new_clusters_is_the_level_within_a_point(likeness):
    rng = np.random.default_rng(3)
    n_clusters, size = 600, 4
    shared, own = rng.normal(size=(n_clusters, 1)), rng.normal(size=(n_clusters, size))
    error = np.abs(math.sqrt(likeness) * shared + math.sqrt(1 - likeness) * own).ravel()
    cluster = np.repeat([f"text{i}" for i in range(n_clusters)], size).astype(object)
    shares = coverage(error, cluster, n_calibration=100)
    assert np.abs(shares.mean(axis=0) - LEVELS).max() < 0.01


def test_clusters_of_one_item_give_the_order_statistic_of_split_conformal():
    error = np.arange(1.0, 20.0)  # 19 items: ceil(20 * 0.9) = 18
    assert conformal_radii(error, None, levels=[0.9, 0.95]) == {0.9: 18.0, 0.95: 19.0}
    names = np.array([f"t{i}" for i in range(19)], dtype=object)
    assert conformal_radii(error[::-1].copy(), names, levels=[0.9]) == {0.9: 18.0}


def test_large_clusters_do_not_outweigh_small_ones():
    # One cluster of a thousand large errors among 99 of one small error each.
    error = np.concatenate([np.full(1000, 9.0), np.full(99, 1.0)])
    cluster = np.array(["big"] * 1000 + [f"t{i}" for i in range(99)], dtype=object)
    assert conformal_radii(error, cluster, levels=[0.9]) == {0.9: 1.0}


def test_too_few_clusters_for_a_level_are_refused_with_the_number_that_it_takes():
    assert [fewest_clusters(level) for level in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    conformal_radii(np.ones(19), None, levels=[0.95])
    with pytest.raises(LagerError, match=r"level 0\.95 takes at least 19 .* got 18"):
        conformal_radii(np.ones(18), None, levels=[0.95])


@pytest.mark.parametrize("level", [0.0, 1.0, 90.0, math.nan])
def test_a_level_that_is_no_probability_is_refused(level):
    with pytest.raises(LagerError, match="between 0 and 1"):
        conformal_radii(np.ones(50), None, levels=[level])


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
