"""Doubt that is learnt from several signals, and kept only where it helps."""

import numpy as np
import pytest
from lager.evaluate.triage.learnt_doubt import kept_at_risk, learn_doubt


def teach(signals, chance, seed=0):
    rng = np.random.default_rng(seed)
    wrong = (rng.uniform(size=len(chance)) < chance).astype(float)
    cluster = np.arange(len(chance)) // 5
    return wrong, learn_doubt(wrong, signals, cluster, plain=signals[:, 0], risk=0.1, seed=seed)


def test_a_signal_that_the_plain_doubt_lacks_keeps_more_items():
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(1500, 3))
    chance = 1 / (1 + np.exp(1.5 - 2 * signals[:, 2]))
    _, learnt = teach(signals, chance)
    assert learnt.helps
    assert learnt.share > learnt.plain_share + 0.2
    assert learnt.coefficients[3] == pytest.approx(2.0, abs=0.4)
    assert learnt.coefficients[0] == pytest.approx(-1.5, abs=0.3)


def test_noise_and_constants_are_not_kept_over_a_plain_doubt_that_says_all():
    rng = np.random.default_rng(1)
    kept = []
    for seed in range(5):
        signals = np.column_stack([rng.normal(size=400), rng.normal(size=(400, 4)), np.full(400, 3.0)])
        _, learnt = teach(signals, 1 / (1 + np.exp(1.5 - 2 * signals[:, 0])), seed)
        assert learnt.coefficients[-1] == 0.0
        kept.append(learnt.share - learnt.plain_share)
    assert np.mean(kept) < 0.02


def test_what_is_kept_at_a_risk_by_hand_ties_together():
    doubt, wrong = np.array([1.0, 2, 2, 3, 4]), np.array([0.0, 1, 0, 0, 1])
    assert kept_at_risk(doubt, wrong, 0.25) == 0.8
    assert kept_at_risk(doubt, wrong, 0.24) == 0.2
    assert kept_at_risk(doubt, np.ones(5), 0.5) == 0.0
