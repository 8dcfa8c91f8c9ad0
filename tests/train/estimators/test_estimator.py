"""LagerAggregator in scikit-learn's contract."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.train.estimators.lager import LagerAggregator
from lager.train.estimators.strategy import StrategyEstimator
from lager.train.strategies.fit import fit_strategy
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from support.readouts import simulate

DATA = replace(simulate(120), group=None)  # plain arrays have no groups
X, Y = DATA.logits, DATA.human


def test_it_predicts_what_the_strategy_predicts() -> None:
    fitted = LagerAggregator().fit(X, Y)
    strategy = fit_strategy("lager-tuned", DATA)
    np.testing.assert_array_equal(fitted.weights_, strategy.weights)
    np.testing.assert_array_equal(fitted.predict(X), strategy.predict(DATA))
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.aggregator_.predict_proba(DATA))


def test_rows_of_equal_read_outs_stay_together_where_a_strategy_leaves_items_out() -> None:
    prompt = np.repeat(np.arange(40), 3)
    noise, labels = np.random.default_rng(0).normal(size=(40, 9, 5))[prompt], Y[:40][prompt]
    plain = StrategyEstimator("ridge").fit(noise, labels)
    assert plain.aggregator_.training["clusters"] == 40
    told = StrategyEstimator("ridge").fit(noise, labels, cluster=prompt.astype(str))
    assert plain.aggregator_.parameters == told.aggregator_.parameters


def test_constructor_only_assigns() -> None:
    values = [1, 2, 3, 4, 5]
    estimator = LagerAggregator("nonsense", scale=values, n_labels=-3, seed="x")
    assert estimator.scale is values
    assert set(vars(estimator)) == set(inspect.signature(LagerAggregator).parameters) == set(estimator.get_params())


def test_clone_copies_parameters_and_no_fitted_state() -> None:
    fitted = LagerAggregator(preset="paper", scale=Scale.parse("1-5"), seed=3).fit(X, Y)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "weights_")
    np.testing.assert_array_equal(copy.fit(X, Y).weights_, fitted.weights_)


def test_fit_leaves_parameters_and_data_alone_and_returns_itself() -> None:
    estimator, before = LagerAggregator(), X.copy()
    X.flags.writeable = False
    try:
        assert estimator.fit(X, Y) is estimator
    finally:
        X.flags.writeable = True
    np.testing.assert_array_equal(X, before)
    assert estimator.get_params() == LagerAggregator().get_params()


def test_grid_search_and_cross_validation_run_on_three_dimensions() -> None:
    search = GridSearchCV(LagerAggregator(), {"preset": ["converged", "paper", "release"]}, cv=3).fit(X, Y)
    assert search.best_params_["preset"] == "converged"
    assert (cross_val_score(LagerAggregator(), X, Y, cv=4) > 0.5).all()


def test_flattened_read_outs_behave_as_folded_ones_also_in_a_pipeline() -> None:
    flat = X.reshape(len(X), -1)
    expected = LagerAggregator().fit(X, Y).predict(X)
    for estimator in (LagerAggregator(n_labels=5), LagerAggregator(scale="1-5")):
        np.testing.assert_array_equal(estimator.fit(flat, Y).predict(flat), expected)
        assert estimator.n_features_in_ == 45
    pipeline = make_pipeline(FunctionTransformer(lambda x: x.reshape(len(x), -1)), LagerAggregator(n_labels=5))
    np.testing.assert_array_equal(pipeline.fit(X, Y).predict(X), expected)


@pytest.mark.parametrize("scale", ["A=5,B=4,C=3,D=2,E=1", [5, 4, 3, 2, 1], np.arange(5, 0, -1)])
def test_scale_may_be_text_or_values_in_any_order(scale) -> None:
    expected = LagerAggregator().fit(X, Y).predict(X)
    np.testing.assert_allclose(
        LagerAggregator(scale=scale).fit(X[:, :, ::-1], Y).predict(X[:, :, ::-1]), expected, atol=1e-5
    )


def test_lists_and_integers_are_accepted() -> None:
    whole = np.round(X * 10).astype(int)
    assert LagerAggregator().fit(whole.tolist(), Y.tolist()).predict(whole).shape == (120,)


def test_predicting_before_fitting_says_so() -> None:
    with pytest.raises(NotFittedError):
        LagerAggregator().predict(X)


@pytest.mark.parametrize(
    ("estimator", "x", "message"),
    [
        (LagerAggregator(), X.reshape(120, -1), "flattened read-outs need `n_labels` or `scale`"),
        (LagerAggregator(n_labels=4), X.reshape(120, -1), "45 columns are not a whole number of layers of 4"),
        (LagerAggregator(), X[:, 0, 0], "1 dimensions"),
        (LagerAggregator(scale="1-4"), X, "5 labels and the scale 1-4 has 4"),
        (LagerAggregator(scale="high"), X, "scale 'high'"),
        (LagerAggregator(preset="best"), X, "unknown preset"),
        (
            LagerAggregator(),
            np.where(np.arange(120)[:, None, None] == 3, np.nan, X),
            "1 of 120 items have read-outs that are not finite",
        ),
    ],
)
def test_fit_refuses_what_it_cannot_use(estimator: LagerAggregator, x: np.ndarray, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        estimator.fit(x, Y)


def test_predict_refuses_other_shapes_and_missing_values() -> None:
    fitted = LagerAggregator().fit(X, Y)
    with pytest.raises(LagerError, match=r"\(4, 5\) an item, the aggregator was fitted on \(9, 5\)"):
        fitted.predict(X[:, :4])
    with pytest.raises(LagerError, match="no score"):
        fitted.predict(np.full_like(X, np.nan))
