"""Items are drawn by doubt with chances that are known, so that estimates from them stay right."""

import numpy as np
import pytest
from lager import LagerError, draw_items, estimate_means


def population(seed=0, n=1500):
    """The judge errs more where its doubt is large."""
    rng = np.random.default_rng(seed)
    doubt = rng.gamma(2, 0.5, n)
    judge = rng.normal(size=n)
    return judge + doubt * rng.normal(size=n), judge, doubt, rng


def test_the_chance_that_is_recorded_is_the_share_that_is_drawn():
    human, judge, doubt, _ = population()
    pilot = np.where(np.arange(1500) < 100, human, np.nan)
    times, probability = np.zeros(1500), None
    for seed in range(60):
        drawn = draw_items(200, pilot, doubt, judge=judge, seed=seed)
        assert drawn.drawn.sum() == 200
        assert not drawn.drawn[:100].any()
        times += drawn.drawn
        probability = drawn.probability
    before = 100 / 1500
    now = (probability - before) / (1 - before)
    for one in np.unique(drawn.stratum):
        rows = (drawn.stratum == one) & np.isnan(pilot)
        assert times[rows].mean() / 60 == pytest.approx(now[rows][0], abs=1e-9)
    assert probability.max() > 1.5 * probability.min()


def test_doubtful_items_are_drawn_more_often_and_none_is_left_out():
    _, _, doubt, _ = population()
    drawn = draw_items(150, np.full(1500, np.nan), doubt)
    high = doubt > np.median(doubt)
    assert drawn.probability[high].mean() > 1.5 * drawn.probability[~high].mean()
    assert drawn.probability.min() >= 0.5 * 150 / 1500 * 0.9  # whole numbers of items
    even = draw_items(150, np.full(1500, np.nan), doubt, floor=1.0)
    assert np.ptp(even.probability) < 0.01


def test_every_system_gets_its_share():
    _, _, doubt, rng = population()
    system = np.array(list("abc"))[rng.integers(0, 3, 1500)]
    drawn = draw_items(150, np.full(1500, np.nan), doubt, system=system, floor=1.0)
    counts = [drawn.drawn[system == one].sum() / np.mean(system == one) for one in "abc"]
    assert np.ptp(counts) < 15


def test_the_estimate_stays_right_where_the_plain_mean_of_labels_is_wrong():
    held, plain = [], []
    for seed in range(20):
        human, judge, doubt, rng = population(seed)
        human = human + doubt  # doubtful items are better
        pilot = np.where(rng.random(1500) < 0.05, human, np.nan)
        drawn = draw_items(150, pilot, doubt, judge=judge, seed=seed)
        labelled = np.where(drawn.drawn, human, pilot)
        (mean,) = estimate_means(labelled, {"judge": judge}, probability=drawn.probability, resamples=0).means
        held.append(mean.low <= 1.0 <= mean.high)
        plain.append(np.nanmean(labelled))
    assert np.mean(held) >= 0.8
    assert np.mean(plain) > 1.05


@pytest.mark.parametrize(
    ("n", "doubt", "options", "said"),
    [
        (4, [1.0, 2, 3], {}, "4 items to draw, expected 1 to the 2 that have no label"),
        (1, [1.0, np.nan, 3], {}, "expected a finite number for each of 3 items"),
        (1, [1.0, 2, 3], {"floor": 0}, "floor 0: expected a share"),
    ],
)
def test_what_cannot_be_drawn_is_refused(n, doubt, options, said):
    with pytest.raises(LagerError, match=said):
        draw_items(n, [np.nan, np.nan, 2.0], doubt, **options)
