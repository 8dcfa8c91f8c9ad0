"""isotonic: a monotone curve on top of another strategy."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.train.strategies.fit import fit_strategy
from lager.train.strategies.isotonic import monotone_curve
from scipy.stats import spearmanr
from sklearn.isotonic import IsotonicRegression
from support.readouts import simulate

TRAIN, TEST = simulate(200, seed=1), simulate(200, seed=2)


def test_the_curve_is_that_of_scikit_learn_ties_and_weights_included() -> None:
    rng = np.random.default_rng(0)
    scores, weight = np.round(rng.uniform(1, 5, 80), 1), rng.uniform(0.5, 2, 80)
    human = scores + rng.normal(size=80)
    start, end = monotone_curve(scores, human, weight)
    reference = IsotonicRegression(out_of_bounds="clip").fit(scores, human, sample_weight=weight)
    at = np.linspace(0, 6, 200)
    np.testing.assert_allclose(np.interp(at, start, end), reference.predict(at), atol=1e-9)


def test_scores_are_recalibrated_and_never_reordered() -> None:
    base, bent = fit_strategy("lager", TRAIN), fit_strategy("isotonic:lager", TRAIN)
    before, after = base.predict(TEST), bent.predict(TEST)
    for criterion in ("criterion0", "criterion1"):  # each has an intercept of its own
        rows = np.flatnonzero(TEST.group == criterion)
        assert (np.diff(after[rows[np.argsort(before[rows])]]) >= 0).all()
    assert np.abs(after - TEST.human).mean() < 0.9 * np.abs(before - TEST.human).mean()


def test_it_brings_a_baseline_off_the_scale_onto_it() -> None:
    longer = replace(TRAIN, n_tokens=(100 * TRAIN.human).astype(np.int32))
    predicted = fit_strategy("isotonic:length", longer).predict(longer)
    assert predicted.min() >= 1
    assert spearmanr(predicted, longer.human).statistic > 0.95


def test_the_curve_comes_from_items_that_the_strategy_has_not_seen() -> None:
    # With 12 items and 45 coefficients the fit on its own items is far better than on others.
    noise = TRAIN.take(np.arange(30))
    noise = replace(noise, logits=np.random.default_rng(0).normal(size=noise.logits.shape))
    fitted = fit_strategy("isotonic:lager-tuned+free", noise)
    assert fitted.predict(noise).std() < 0.7 * noise.human.std()


def test_it_takes_the_base_with_it(tmp_path) -> None:
    fitted = fit_strategy("isotonic", TRAIN)
    assert fitted.parameters["base"]["strategy"] == "lager-tuned"
    assert fitted.parameters["base"]["weights"] == list(fit_strategy("lager-tuned", TRAIN).weights)


def test_a_constant_base_is_refused() -> None:
    flat = replace(TRAIN, logits=np.ones_like(TRAIN.logits))
    with pytest.raises(LagerError, match="lager gives all 200 items 3, so no curve"):
        fit_strategy("isotonic:lager", flat)
