"""probe: pooled hidden states of a few layers under a linear head."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.train.solvers.principal_components import TOP
from lager.train.solvers.rank_correlation import spearman
from lager.train.solvers.softmax_regression import fit_softmax_regression
from lager.train.strategies.fit import fit_strategy
from sklearn.linear_model import LogisticRegression
from support.readouts import simulate

TRAIN, TEST = simulate(200, seed=1), simulate(200, seed=2)


@pytest.mark.parametrize("name", ["probe", "probe:ordinal", "probe:logistic"])
def test_it_finds_the_layers_and_the_pooling_that_know(name: str) -> None:
    fitted = fit_strategy(name, TRAIN)
    features = fitted.parameters["features"]
    assert tuple(features[0]) in {("last", 5), ("last", 6)}
    assert len(features) <= TOP
    assert spearman(fitted.predict(TEST), TEST.human) > 0.85
    assert np.abs(fitted.predict(TEST) - TEST.human).mean() < 0.6


@pytest.mark.parametrize("name", ["probe:ordinal", "probe:logistic"])
def test_heads_with_classes_give_a_distribution(name: str) -> None:
    fitted = fit_strategy(name, TRAIN)
    proba = fitted.predict_proba(TEST)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_allclose(proba @ np.arange(1.0, 6.0), fitted.predict(TEST))


def test_a_ridge_head_has_no_distribution() -> None:
    with pytest.raises(LagerError, match="probe has no distribution"):
        fit_strategy("probe", TRAIN).predict_proba(TEST)


def test_softmax_regression_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(150, 3))
    classes = (columns @ rng.normal(size=(3, 3)) + rng.gumbel(size=(150, 3))).argmax(axis=1)
    slopes, offsets = fit_softmax_regression(columns, np.eye(3)[classes], np.full(150, 1 / 150), 0.02)
    reference = LogisticRegression(C=1 / (150 * 0.02), tol=1e-10, max_iter=5000).fit(columns, classes)
    np.testing.assert_allclose(slopes - slopes.mean(axis=0), reference.coef_ - reference.coef_.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(offsets - offsets.mean(), reference.intercept_ - reference.intercept_.mean(), atol=1e-4)


def test_more_dimensions_than_items_and_the_reverse_reduce_alike() -> None:
    few, many = TRAIN.take(np.arange(10)), TRAIN
    for data in (few, many):
        assert np.isfinite(fit_strategy("probe", data).predict(TEST)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda hidden: {}, "have none: extract with --features hidden"),
        (lambda hidden: {"last": hidden["last"][:5]}, r"shape \(5, 9, 12\)"),
        (lambda hidden: {"last": np.full_like(hidden["last"], np.nan)}, "200 of 200 items have hidden states"),
        (lambda hidden: {"last": np.ones_like(hidden["last"])}, "the same for all items"),
    ],
)
def test_hidden_states_that_cannot_be_used_are_refused(change, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        fit_strategy("probe", replace(TRAIN, hidden=change(TRAIN.hidden)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda hidden: {}, "pooling last, and the read-outs have none"),
        (lambda hidden: {"last": hidden["last"][:, :, :7]}, "fitted on 12 dimensions .* the hidden states have 7"),
        (lambda hidden: {name: np.full_like(one, np.nan) for name, one in hidden.items()}, "not finite"),
    ],
)
def test_a_fitted_probe_refuses_other_hidden_states(change, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        fit_strategy("probe", TRAIN).predict(replace(TEST, hidden=change(TEST.hidden)))


def test_what_recalibrates_a_probe_asks_for_the_same_poolings() -> None:
    bent, probe = fit_strategy("isotonic:probe", TRAIN), fit_strategy("probe", TRAIN)
    assert probe.poolings
    assert bent.poolings == probe.poolings
    assert fit_strategy("ridge", TRAIN).poolings == ()
