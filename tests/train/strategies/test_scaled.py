"""lager-scaled: a temperature and a bias per layer before mixing."""

import numpy as np
import pytest
from lager.data.scale import Scale
from lager.train.aggregator.mixing import scale_position, softmax
from lager.train.strategies.fit import fit_strategy
from support.readouts import SCALE, from_arrays, simulate

TRAIN, TEST = simulate(300, seed=1), simulate(100, seed=2)


def test_the_score_is_its_equation_written_out() -> None:
    fitted = fit_strategy("lager-scaled", TRAIN)
    slopes, biases = np.array(fitted.parameters["slopes"]), np.array(fitted.parameters["biases"])
    by_layer = slopes[:, None] * TEST.logits.astype(float) + biases[:, None] * np.linspace(-1, 1, 5)
    intercepts = np.array([fitted.parameters["group_intercepts"][group] for group in TEST.group])
    mixed = np.einsum("l,nlk->nk", np.array(fitted.weights), by_layer) + intercepts
    np.testing.assert_allclose(fitted.predict(TEST), softmax(mixed) @ SCALE.array)


def test_planted_temperature_and_bias_of_one_layer_are_recovered() -> None:
    rng = np.random.default_rng(4)
    true = rng.normal(scale=2.0, size=(30_000, 1, 5))
    human = (true[:, 0] + 0.7 * np.linspace(-1, 1, 5) + rng.gumbel(size=(30_000, 5))).argmax(axis=1) + 1.0
    fitted = fit_strategy("lager-scaled", from_arrays(4.0 * true, human))  # four times as sure as it should be
    assert 1 / fitted.parameters["slopes"][0] == pytest.approx(4.0, rel=0.05)
    assert fitted.parameters["biases"][0] == pytest.approx(0.7, abs=0.05)


def test_the_size_of_a_layers_logits_does_not_matter() -> None:
    sizes = 10.0 ** np.random.default_rng(0).uniform(-2, 2, size=(9, 1))
    scaled = [from_arrays(data.logits.astype(float) * sizes, data.human) for data in (TRAIN, TEST)]
    plain = [from_arrays(data.logits.astype(float), data.human) for data in (TRAIN, TEST)]
    expected = fit_strategy("lager-scaled", plain[0]).predict(plain[1])
    np.testing.assert_allclose(fit_strategy("lager-scaled", scaled[0]).predict(scaled[1]), expected, atol=1e-3)


def test_a_bias_leans_the_same_way_on_another_scale() -> None:
    np.testing.assert_allclose(scale_position(Scale.parse("A=9,B=5,C=1")), [1, 0, -1])
    wide = simulate(50, scale=Scale.parse("1-9"))
    predicted = fit_strategy("lager-scaled", TRAIN).predict(wide)
    assert np.corrcoef(predicted, wide.human)[0, 1] > 0.7
