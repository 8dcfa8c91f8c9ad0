"""Every strategy in scikit-learn's contract: its own checks, cloning, searching, saving."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.train.estimators.probe import ProbeEstimator
from lager.train.estimators.strategy import StrategyEstimator
from lager.train.files.aggregator_file import load_aggregator, save_aggregator
from lager.train.strategies.fit import fit_strategy
from lager.train.strategies.registry import needs_fitting, strategy_names
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator
from support.readouts import SCALE, simulate

DATA = simulate(120)
X, Y = DATA.logits, DATA.human
ON_ARRAYS = [name for name in strategy_names() if name not in {"probe", "length"}]

#: What cannot pass, and why.
OTHERWISE = {
    "check_dtype_object": "text in X is a LagerError, which is a ValueError, not a TypeError",
    "check_regressors_no_decision_function": "the score is read from a distribution, which predict_proba gives",
    "check_sample_weight_equivalence_on_dense_data": "an item repeated is left out alone, an item of weight two is not",
}


@pytest.mark.parametrize("name", ["lager", "lager-tuned", "lager-rank", "lager-scaled", "ridge", "ordinal", "isotonic"])
def test_the_checks_of_scikit_learn_pass_on_flattened_read_outs(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = check_estimator(
            StrategyEstimator(name, scale="data", n_labels="all"), expected_failed_checks=OTHERWISE, on_skip=None
        )
    assert sum(one["status"] == "passed" for one in done) > 40


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_an_estimator_predicts_what_its_strategy_predicts_flattened_too(name: str) -> None:
    plain = replace(DATA, group=None, cluster=None, logits_normed=X, hidden={})
    expected = fit_strategy(name, plain).predict(plain)
    fitted = StrategyEstimator(name).fit(X, Y)
    np.testing.assert_array_equal(fitted.predict(X), expected)
    flat = make_pipeline(FunctionTransformer(lambda x: x.reshape(len(x), -1)), StrategyEstimator(name, n_labels=5))
    np.testing.assert_array_equal(flat.fit(X, Y).predict(X), expected)
    assert hasattr(fitted, "predict_proba") == fitted.aggregator_.has_proba
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "aggregator_")


def test_the_strategy_is_searched_like_any_parameter() -> None:
    grid = {"strategy": ["lager", "lager-tuned", "ridge", "best-layer"]}
    search = GridSearchCV(StrategyEstimator(), grid, cv=3, error_score="raise").fit(X, Y)
    assert search.best_params_["strategy"] in {"lager-tuned", "ridge"}
    assert (cross_val_score(StrategyEstimator("ordinal"), X, Y, cv=3) > 0.5).all()


@pytest.mark.parametrize("name", [name for name in ON_ARRAYS if needs_fitting(name)])
def test_an_item_of_weight_zero_is_as_good_as_left_out(name: str) -> None:
    weight = np.where(np.arange(120) < 100, 1.0, 0.0)
    weighted = StrategyEstimator(name).fit(X, Y, sample_weight=weight)
    np.testing.assert_allclose(weighted.predict(X), StrategyEstimator(name).fit(X[:100], Y[:100]).predict(X), atol=1e-9)


@pytest.mark.parametrize("name", ["lager-tuned", "lager-tuned+free", "lager-scaled", "group-mean"])
def test_a_weight_of_two_is_the_item_twice(name: str) -> None:
    times = 1 + np.arange(120) % 2
    weighted = StrategyEstimator(name).fit(X, Y, sample_weight=times)
    repeated = StrategyEstimator(name).fit(np.repeat(X, times, axis=0), np.repeat(Y, times))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), atol=1e-4)


def test_clusters_are_kept_whole_when_given() -> None:
    apart = StrategyEstimator("lager-shrunk").fit(X, Y).aggregator_.training
    whole = StrategyEstimator("lager-shrunk").fit(X, Y, cluster=DATA.cluster).aggregator_.training
    assert apart["spearman_by_strength"] != whole["spearman_by_strength"]


@pytest.mark.parametrize("name", [*ON_ARRAYS, "lager-tuned+free+no-last", "isotonic:ridge", "lager-early:3"])
def test_json_keeps_every_prediction(name: str, tmp_path) -> None:
    fitted = StrategyEstimator(name).fit(X, Y)
    save_aggregator(tmp_path / "a.json", fitted.aggregator_)
    loaded = load_aggregator(tmp_path / "a.json").aggregator
    plain = replace(DATA, group=None, logits_normed=X)
    np.testing.assert_array_equal(loaded.predict(plain), fitted.predict(X))


@pytest.mark.parametrize("head", ["ridge", "ordinal", "logistic"])
def test_the_probe_fits_hidden_states(head: str, tmp_path) -> None:
    states = DATA.hidden["last"]
    fitted = ProbeEstimator(head, scale=SCALE).fit(states, Y)
    assert np.corrcoef(fitted.predict(states), Y)[0, 1] > 0.8
    assert hasattr(fitted, "predict_proba") == (head != "ridge")
    assert cross_val_score(ProbeEstimator(head), states[:, 5], Y, cv=3).min() > 0.3
    save_aggregator(tmp_path / "p.json", fitted.aggregator_)
    assert load_aggregator(tmp_path / "p.json").aggregator == fitted.aggregator_


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StrategyEstimator("probe").fit(X, Y), "use ProbeEstimator"),
        (lambda: StrategyEstimator("isotonic:length").fit(X, Y), "needs prompts"),
        (lambda: StrategyEstimator("lagr").fit(X, Y), "did you mean lager"),
        (lambda: StrategyEstimator(n_labels="some").fit(X.reshape(120, -1), Y), "or 'all' for a single layer"),
        (lambda: StrategyEstimator().fit(X, None), "target y is None"),
        (lambda: StrategyEstimator().fit(X, Y[:5]), "120 items and 5 human scores"),
        (lambda: StrategyEstimator().fit(X, Y, sample_weight=-np.ones(120)), "item weights must be 120 finite"),
        (lambda: StrategyEstimator().fit(X + 1j, Y), "Complex data"),
        (lambda: StrategyEstimator("lager").fit(np.where(X > 2, np.inf, X), Y), "not finite"),
        (
            lambda: StrategyEstimator("lager-tuned", preset="paper").fit(X, Y, sample_weight=np.ones(120)),
            "item weights",
        ),
        (lambda: ProbeEstimator().fit(X[0, 0], Y), "1 dimensions"),
        (lambda: ProbeEstimator("forest").fit(DATA.hidden["last"], Y), "unknown strategy 'probe:forest'"),
    ],
)
def test_what_cannot_be_fitted_is_refused(make, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        make()
