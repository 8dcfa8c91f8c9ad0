"""ridge: the closed form of leaving clusters out, and what the strategy makes of it."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.train.solvers.rank_correlation import spearman
from lager.train.solvers.ridge_path import PENALTIES, RidgePath
from lager.train.strategies.fit import fit_strategy
from sklearn.linear_model import Ridge
from support.readouts import simulate

TRAIN, TEST = simulate(200, seed=1), simulate(200, seed=2)
RNG = np.random.default_rng(0)


def problem(n: int, p: int, *, weighted: bool):
    weight = RNG.uniform(0.2, 2.0, n) if weighted else np.ones(n)
    weight /= weight.sum()
    columns = RNG.normal(size=(n, p))
    columns -= weight @ columns
    return columns, columns[:, 0] + RNG.normal(size=n) + 3.0, weight


def left_out(columns, human, weight, cluster, penalty) -> float:
    """Fit anew without each cluster."""
    total = 0.0
    for one in np.unique(cluster):
        kept = cluster != one
        mean, centre = (np.average(a[kept], weights=weight[kept], axis=0) for a in (human, columns))
        root = np.sqrt(weight[kept])
        x, y = root[:, None] * (columns[kept] - centre), root * (human[kept] - mean)
        beta = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
        error = human[~kept] - mean - (columns[~kept] - centre) @ beta
        total += weight[~kept] @ error**2
    return total


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("n", "p", "n_clusters"), [(40, 6, 40), (40, 6, 12), (60, 5, 4), (20, 30, 20), (20, 30, 7)], ids=str
)
def test_errors_on_left_out_clusters_are_those_of_fitting_anew(n: int, p: int, n_clusters: int, weighted: bool) -> None:
    columns, human, weight = problem(n, p, weighted=weighted)
    cluster = np.arange(n) if n_clusters == n else RNG.integers(0, n_clusters, n)
    path = RidgePath.of(columns, human, weight, np.unique(cluster, return_inverse=True)[1])
    for penalty in (1e-3, 0.1, 10.0):
        assert path.left_out_error(penalty) == pytest.approx(left_out(columns, human, weight, cluster, penalty))


def test_coefficients_are_those_of_scikit_learn() -> None:
    columns, human, weight = problem(50, 8, weighted=True)
    expected = Ridge(alpha=0.3).fit(columns, human, sample_weight=weight).coef_
    np.testing.assert_allclose(RidgePath.of(columns, human, weight, np.arange(50)).coefficients(0.3), expected)


def test_scores_are_linear_in_the_logits_and_agree_with_humans() -> None:
    fitted = fit_strategy("ridge", TRAIN)
    coefficients = np.array(fitted.parameters["coefficients"])
    intercepts = np.array([fitted.parameters["group_intercepts"][group] for group in TEST.group])
    expected = (coefficients * TEST.logits).sum(axis=(1, 2)) + fitted.parameters["intercept"] + intercepts
    np.testing.assert_allclose(fitted.predict(TEST), expected, atol=1e-9)
    assert spearman(fitted.predict(TEST), TEST.human) > 0.8
    assert fitted.training["left_out_rmse"] < fitted.training["rmse_of_mean"]
    assert fitted.parameters["penalty"] in PENALTIES


def test_read_outs_that_say_nothing_give_the_mean() -> None:
    noise = replace(TRAIN, logits=RNG.normal(size=TRAIN.logits.shape).astype(np.float32))
    assert fit_strategy("ridge", noise).predict(noise).std() < 0.3 * noise.human.std()
    flat = replace(TRAIN, logits=np.ones_like(TRAIN.logits))
    np.testing.assert_allclose(fit_strategy("ridge", replace(flat, pooled=True)).predict(TEST), TRAIN.human.mean())


def test_more_columns_than_items_is_no_obstacle() -> None:
    few = fit_strategy("ridge", TRAIN.take(np.arange(20)))
    assert spearman(few.predict(TEST), TEST.human) > 0.4


def test_many_items_in_a_cluster_take_the_short_way() -> None:
    big = replace(TRAIN, cluster=np.array([f"text{i % 3}" for i in range(200)], dtype=object))
    assert spearman(fit_strategy("ridge", big).predict(TEST), TEST.human) > 0.8


@pytest.mark.parametrize("name", ["ridge", "ordinal", "isotonic", "isotonic:length", "probe", "probe:logistic"])
def test_scores_learnt_on_one_scale_are_refused_on_another(name: str) -> None:
    fitted = fit_strategy(name, TRAIN)
    with pytest.raises(LagerError, match="learnt scores on 1-5, the items are on A=5,B=4,C=3,D=2,E=1: train it anew"):
        fitted.predict(replace(TEST, scale=Scale.parse("A=5,B=4,C=3,D=2,E=1")))


@pytest.mark.parametrize("name", ["ridge", "ordinal"])
def test_a_read_out_that_is_not_finite_is_refused(name: str) -> None:
    logits = TEST.logits.copy()
    logits[4, 2, 1] = np.inf
    with pytest.raises(LagerError, match=r"1 of 200 items .* row 4"):
        fit_strategy(name, TRAIN).predict(replace(TEST, logits=logits))
    with pytest.raises(LagerError, match=r"not finite \(NaN or infinite\): drop the invalid rows"):
        fit_strategy(name, replace(TRAIN, logits=logits))
