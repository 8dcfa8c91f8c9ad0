"""ordinal: the cumulative logit model, alone and as a strategy."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from lager.data.scale import Scale
from lager.train.aggregator.label_probabilities import class_probabilities
from lager.train.solvers.cumulative_logit import derivatives, fit_cumulative_logit, loss_at
from lager.train.solvers.rank_correlation import spearman
from lager.train.solvers.training_items import class_targets
from lager.train.strategies.fit import fit_strategy
from scipy.special import expit
from support.readouts import from_arrays, simulate

TRAIN, TEST = simulate(200, seed=1), simulate(200, seed=2)
EVEN = np.full(300, 1 / 300)


def problem(n: int = 300, p: int = 4, n_classes: int = 5, seed: int = 0):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(n, p))
    latent = columns @ np.array([1.5, -1.0, 0.5, 0.0])[:p] + rng.logistic(size=n)
    classes = np.searchsorted(np.quantile(latent, np.linspace(0, 1, n_classes + 1)[1:-1]), latent)
    return columns, classes, np.eye(n_classes)[classes]


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_without_a_penalty_it_is_the_ordered_model_of_statsmodels(n_classes: int) -> None:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    columns, classes, targets = problem(n_classes=n_classes)
    fit = fit_cumulative_logit(columns, targets, EVEN, 0.0)
    model = OrderedModel(classes, columns, distr="logit")
    reference = model.fit(method="bfgs", disp=False, gtol=1e-8, maxiter=500)
    thresholds = model.transform_threshold_params(reference.params)[1:-1]
    assert fit.converged
    np.testing.assert_allclose(fit.coefficients, reference.params[:4], atol=1e-5)
    np.testing.assert_allclose(fit.thresholds, thresholds, atol=1e-5)
    assert 300 * fit.loss == pytest.approx(-reference.llf, rel=1e-8)


def test_gradient_and_curvature_agree_with_finite_differences() -> None:
    columns, _, _ = problem(30)
    targets = np.random.default_rng(1).dirichlet(np.ones(5), 30)
    weight = np.random.default_rng(2).dirichlet(np.ones(30))
    at = np.array([-2.0, -0.5, 0.3, 2.5, 0.4, -0.2, 1.0, 0.1])
    gradient, hessian = derivatives(at, columns, targets, weight, 0.3)
    for i in range(8):
        step = np.zeros(8)
        step[i] = 1e-5
        slope = (
            loss_at(at + step, columns, targets, weight, 0.3) - loss_at(at - step, columns, targets, weight, 0.3)
        ) / 2e-5
        bend = (
            derivatives(at + step, columns, targets, weight, 0.3)[0]
            - derivatives(at - step, columns, targets, weight, 0.3)[0]
        ) / 2e-5
        assert gradient[i] == pytest.approx(slope, abs=1e-8)
        np.testing.assert_allclose(hessian[i], bend, atol=1e-7)


def test_probabilities_are_differences_of_sigmoids_also_far_out() -> None:
    scores, thresholds = np.array([-3.0, 0.0, 2.0]), np.array([-1.0, 0.5, 2.0])
    proba = class_probabilities(scores, thresholds)
    cumulative = expit(thresholds - scores[:, None])
    np.testing.assert_allclose(proba, np.diff(cumulative, axis=1, prepend=0.0, append=1.0), atol=1e-15)
    far = class_probabilities(np.array([-60.0, 60.0]), thresholds)
    assert (far > 0.0).all()
    np.testing.assert_allclose(far.sum(axis=1), 1.0)


def test_a_penalty_pulls_coefficients_to_zero_and_thresholds_to_the_shares() -> None:
    columns, _, targets = problem()
    weak, strong = (fit_cumulative_logit(columns, targets, EVEN, penalty) for penalty in (0.0, 1e6))
    assert np.abs(strong.coefficients).max() < 1e-4 < np.abs(weak.coefficients).max()
    np.testing.assert_allclose(expit(strong.thresholds), np.cumsum(targets.mean(axis=0))[:-1], atol=1e-4)


def test_repeated_features_without_a_penalty_still_have_a_fit() -> None:
    columns, _, targets = problem()
    once = fit_cumulative_logit(columns, targets, EVEN, 0.0)
    twice = fit_cumulative_logit(np.column_stack([columns, columns]), targets, EVEN, 0.0)
    assert twice.loss == pytest.approx(once.loss, abs=1e-9)
    np.testing.assert_allclose(twice.coefficients[:4] + twice.coefficients[4:], once.coefficients, atol=1e-4)


def test_more_features_than_items_take_memory_for_the_items_and_lead_to_the_same_minimum() -> None:
    columns, _, targets = problem(n=60)
    wide = np.column_stack([columns, np.random.default_rng(1).normal(size=(60, 1500))])
    weight = np.full(60, 1 / 60)
    tracemalloc.start()
    fit = fit_cumulative_logit(wide, targets, weight, 0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.converged
    assert peak < 8 * wide.nbytes / 2  # of read-outs, which have half the bytes; 1504 x 1504 alone take 25 times these
    slope, _ = derivatives(np.concatenate([fit.thresholds, fit.coefficients]), wide, targets, weight, 0.1)
    np.testing.assert_allclose(slope, 0.0, atol=1e-8)


def test_the_strategy_gives_a_distribution_with_ordered_thresholds() -> None:
    fitted = fit_strategy("ordinal", TRAIN)
    assert np.diff(fitted.parameters["thresholds"]).min() > 0
    proba = fitted.predict_proba(TEST)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_allclose(fitted.predict(TEST), proba @ np.arange(1.0, 6.0))
    assert spearman(fitted.predict(TEST), TEST.human) > 0.8


def test_labels_that_nobody_gave_have_no_probability() -> None:
    whole = replace(TRAIN, human=np.where(TRAIN.human > 3, 4.0, 2.0), target=None)
    fitted = fit_strategy("ordinal", whole)
    assert fitted.parameters["classes"] == [2.0, 4.0]
    assert not fitted.predict_proba(TEST)[:, [0, 2, 4]].any()


def test_labels_in_any_order_and_of_equal_value_are_one_class() -> None:
    scale = Scale.parse("good=3,bad=1,fine=3")
    rng = np.random.default_rng(0)
    human = rng.choice([1.0, 3.0, 2.0], 80)
    data = from_arrays(rng.normal(size=(80, 3, 3)) + human[:, None, None] * np.array([1, -1, 0.5]), human, scale=scale)
    values, targets = class_targets(data)
    np.testing.assert_array_equal(values, [1.0, 3.0])
    np.testing.assert_allclose(targets @ values, human)
    proba = fit_strategy("ordinal", data).predict_proba(data)
    np.testing.assert_allclose(proba[:, 0], proba[:, 2])
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


def test_annotators_who_disagree_count_for_what_each_said() -> None:
    split = np.tile([0.5, 0.0, 0.0, 0.0, 0.5], (200, 1))
    unsure = fit_strategy("ordinal", replace(TRAIN, human=np.where(np.arange(200) < 1, 2.9, 3.0), target=split))
    assert unsure.predict_proba(TEST)[:, [0, 4]].sum(axis=1).min() > 0.99
