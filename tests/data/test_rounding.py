"""Means and scores that are equal but for rounding are equal, whatever stands around them."""

import numpy as np
import polars as pl
import pytest
from lager.data.items.item_table import mean_scores
from lager.data.items.items import ScoreMapping
from lager.data.rounding import class_starts, rounded_means, tie_width
from lager.data.scale import Scale


def classes(values, width):
    ordered = np.sort(np.array(values, dtype=float))
    new = np.zeros(len(ordered), dtype=bool)
    new[0] = True
    starts = class_starts(ordered, new, width)
    return [part.tolist() for part in np.split(ordered, starts[1:])]


def test_the_order_of_raters_does_not_change_their_mean():
    orders = [[1.1, 2.2, 3.3], [3.3, 2.2, 1.1], [2.2, 3.3, 1.1], [1.1, 3.3, 2.2], [2.2, 2.2, 2.2], []]
    means = mean_scores(pl.Series(orders, dtype=pl.List(pl.Float64)))
    assert means[:5].tolist() == [2.2] * 5
    assert np.isnan(means[5])


def test_mapped_scores_of_equal_sums_have_equal_means():
    mapping = ScoreMapping.onto(Scale.parse("1-5"), (1.0, 7.0))
    raters = [[a, b, c] for a in range(1, 8) for b in range(1, 8) for c in range(1, 8)]
    table = mapping.apply(pl.DataFrame({"scores": raters}, schema={"scores": pl.List(pl.Float64)}))
    assert len(np.unique(mean_scores(table["scores"]))) == 19
    mapping = ScoreMapping.onto(Scale.parse("1-5"), (1.0, 4.0))
    table = mapping.apply(pl.DataFrame({"scores": [[3, 3, 4, 3]]}, schema={"scores": pl.List(pl.Float64)}))
    assert mean_scores(table["scores"]).tolist() == [4.0]


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_rounded_means_keep_twelve_digits(size):
    values = np.array([np.nan, 0.0, 1 / 3, -2 / 7]) * size
    np.testing.assert_allclose(rounded_means(values), values, rtol=1e-10, atol=0)
    assert rounded_means(np.zeros(2)).tolist() == [0, 0]
    assert np.isnan(rounded_means(np.full(2, np.nan))).all()


def test_a_chain_that_is_narrow_is_one_class_wherever_it_lies():
    rng = np.random.default_rng(0)
    for start in rng.uniform(1, 5, size=200):
        assert len(classes(start + rng.uniform(0, 5e-7, size=20), 1e-6)) == 1
    assert len(classes([1, 1 + 2e-6, 2], 1e-6)) == 3


def test_a_chain_that_is_wide_is_cut_so_that_no_class_is_wider_than_the_tolerance():
    values = np.linspace(1, 1.001, 50_000)
    found = classes(values, 1e-6)
    assert 900 < len(found) < 1100
    assert max(one[-1] - one[0] for one in found) <= 1e-6
    assert classes([3, 1, 1, 2], 0.0) == [[1, 1], [2], [3]]


def test_the_tolerance_is_a_share_of_the_largest_absolute_score():
    assert tie_width(np.array([-4.0, 2.0])) == pytest.approx(4 * 2.0**-22)
    assert tie_width(np.array([])) == 0.0
