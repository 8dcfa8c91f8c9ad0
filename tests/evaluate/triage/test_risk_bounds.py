"""p-values that a risk is above what is allowed: valid at any distribution, and MAPIE's on independent items."""

import numpy as np
import pytest
from lager.evaluate.triage.risk_bounds import betting_p, hoeffding_bentkus_p, hoeffding_p
from scipy.stats import binom

#: errors, items decided, risk, and `compute_hoeffding_bentkus_p_value(r_hat, n_obs, alpha, binary=True)` of MAPIE 1.6.0
#: (`mapie.risk_control.methods`) at r_hat = errors / decided; made once, by the loop of the slow test below.
OF_MAPIE = [
    (0, 20, 0.1, 0.12157665459056914),
    (4, 100, 0.1, 0.023711082663476827),
    (30, 500, 0.1, 0.0010025497080229562),
    (49, 500, 0.1, 0.47819813727261273),
    (60, 1000, 0.05, 0.9329374813666919),
    (150, 1000, 0.2, 2.6443381908983066e-05),
    (40, 40, 0.1, 1.0),
]


@pytest.mark.parametrize(("errors", "decided", "risk", "expected"), OF_MAPIE)
def test_p_values_of_independent_items_are_those_of_mapie(errors, decided, risk, expected):
    assert hoeffding_bentkus_p(errors, decided, risk) == pytest.approx(expected, rel=1e-10)


@pytest.mark.slow
def test_p_values_are_mapies_on_a_whole_grid_of_thresholds():
    methods = pytest.importorskip("mapie.risk_control.methods")
    rng = np.random.default_rng(0)
    doubt = rng.uniform(size=2000)
    wrong = rng.uniform(size=2000) < 0.3 * doubt
    for risk in (0.05, 0.1, 0.2):
        for threshold in np.linspace(0.01, 1.0, 60):
            alone = doubt <= threshold
            errors, decided = int(wrong[alone].sum()), int(alone.sum())
            rate = errors / decided
            if decided * rate > errors:  # it rounds up what floating point makes of the count: one error more
                continue
            found = methods.compute_hoeffding_bentkus_p_value(np.array([rate]), decided, risk, binary=True)
            assert hoeffding_bentkus_p(errors, decided, risk) == pytest.approx(float(found[0, 0]), rel=1e-9)


def test_the_binomial_tail_is_the_smaller_one():
    assert hoeffding_bentkus_p(12, 200, 0.1) == pytest.approx(binom.cdf(12, 200, 0.1))
    assert hoeffding_bentkus_p(0, 0, 0.1) == 1.0


def test_hoeffding_by_hand():
    assert hoeffding_p(np.full(50, -0.1)) == pytest.approx(np.exp(-2 * 50 * 0.01))
    assert hoeffding_p(np.full(50, 0.2)) == 1.0


def test_a_bettor_who_sees_no_error_wins_on_every_sum():
    # The boldest bet, 0.95 / 0.9, is reached at once: each sum multiplies the fortune by 1 + 0.95 / 9.
    assert betting_p(np.full(40, -0.1), 0.1, 0.1) == pytest.approx((1 + 0.95 / 9) ** -40, rel=1e-9)
    assert betting_p(np.full(40, 0.9), 0.1, 0.1) == 1.0


@pytest.mark.parametrize("alike", [False, True])
def test_p_values_at_the_allowed_risk_are_small_as_rarely_as_they_say(alike):
    rng = np.random.default_rng(1)
    small = []
    for _ in range(400):
        chance = rng.choice([0.0, 0.5], p=[0.8, 0.2], size=60)[:, None] if alike else 0.1
        excess = (rng.uniform(size=(60, 8)) < chance).mean(axis=1) - 0.1
        small.append(betting_p(excess, 0.1, 0.1) <= 0.1)
    assert np.mean(small) < 0.13  # 0.1, and two errors of 400 draws


def test_betting_tells_more_than_hoeffding():
    rng = np.random.default_rng(2)
    excess = rng.binomial(10, 0.04, size=200) / 10 - 0.1
    assert betting_p(excess, 0.1, 0.1) < 0.01 < hoeffding_p(excess)
