"""A share corrected by the judge's errors, with what makes it unusable said."""

import numpy as np
import pytest
from lager import estimate_means


def drawn(sensitivity, specificity, *, seed=0, n=4000, labelled=800):
    rng = np.random.default_rng(seed)
    yes = rng.random(n) < 0.3
    judge = np.where(yes, rng.random(n) < sensitivity, rng.random(n) >= specificity) * 1.0
    return np.where(np.arange(n) < labelled, yes * 1.0, np.nan), judge


def test_the_formula_by_hand():
    human = np.array([1, 1, 1, 0, 0, 0, 0, 0, np.nan, np.nan])
    judge = np.array([1, 1, 0, 0, 0, 0, 0, 1, 1, 1.0])
    (one,) = estimate_means(human, {"judge": judge}, at_least=1).rogan_gladen
    assert (one.sensitivity, one.specificity) == (pytest.approx(2 / 3), pytest.approx(0.8))
    assert one.share == pytest.approx((0.5 + 0.8 - 1) / (2 / 3 + 0.8 - 1))


def test_share_and_interval_are_near_the_truth():
    human, judge = drawn(0.9, 0.8)
    found = estimate_means(human, {"judge": judge}, at_least=1)
    (one,), (mean,) = found.rogan_gladen, found.means
    assert one.low < 0.3 < one.high
    assert mean.low < 0.3 < mean.high
    assert mean.high - mean.low < 1.05 * (one.high - one.low)


def test_a_judge_who_does_not_tell_yes_from_no_gives_none():
    human, judge = drawn(0.5, 0.5)
    (one,) = estimate_means(human, {"judge": judge}, at_least=1).rogan_gladen
    assert one.share is None
    assert one.reason == "the judge does not tell yes from no"


def test_labels_that_are_all_the_same_give_none():
    human, judge = drawn(0.9, 0.8)
    human[np.isfinite(human)] = 1
    (one,) = estimate_means(human, {"judge": judge}, at_least=1).rogan_gladen
    assert one.reason == "all labels are the same"
