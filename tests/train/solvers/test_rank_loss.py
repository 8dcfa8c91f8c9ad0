"""lager-rank: the smooth rank correlation, its gradient, and what it is fitted for."""

import numpy as np
import pytest
from lager.train.aggregator.layer_options import LayerOptions
from lager.train.solvers import rank_loss as rank_module
from lager.train.solvers.rank_correlation import average_ranks, spearman, weighted_ranks
from lager.train.solvers.rank_loss import RankLoss
from lager.train.solvers.training_items import training_loss
from lager.train.strategies.fit import fit_strategy
from support.readouts import simulate

TRAIN, TEST = simulate(200, seed=5), simulate(400, seed=6)


def rank_loss(n: int = 60, *, weight: np.ndarray | None = None) -> RankLoss:
    data = simulate(n, seed=1)
    from dataclasses import replace

    return RankLoss.of(training_loss(replace(data, weight=weight), LayerOptions()))


@pytest.mark.parametrize("weight", [None, np.random.default_rng(0).integers(1, 4, 60).astype(float)])
@pytest.mark.parametrize("max_anchors", [128, 17])
def test_gradient_agrees_with_finite_differences(monkeypatch, max_anchors: int, weight: np.ndarray | None) -> None:
    monkeypatch.setattr(rank_module, "MAX_ANCHORS", max_anchors)
    loss = rank_loss(weight=weight)
    weights = np.random.default_rng(3).uniform(-0.2, 0.6, 9)
    _, gradient = loss(weights)
    for entry in range(9):
        step = np.zeros(9)
        step[entry] = 1e-6
        slope = (loss(weights + step)[0] - loss(weights - step)[0]) / 2e-6
        assert gradient[entry] == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_it_tends_to_spearman_as_the_bandwidth_shrinks(monkeypatch) -> None:
    loss, weights = rank_loss(), np.full(9, 1 / 9)
    data = simulate(60, seed=1)
    rho = spearman(training_loss(data, LayerOptions()).expected(weights), data.human)
    monkeypatch.setattr(rank_module, "BANDWIDTH", 1e-5)
    assert 1 - loss(weights)[0] == pytest.approx(rho, abs=1e-6)


def test_it_ranks_the_training_items_better_than_lager_tuned() -> None:
    rho = {
        n: spearman(fit_strategy(n, TRAIN).predict(TRAIN), TRAIN.human) for n in ("lager", "lager-tuned", "lager-rank")
    }
    assert rho["lager-rank"] > max(rho["lager"], rho["lager-tuned"])
    assert spearman(fit_strategy("lager-rank", TRAIN).predict(TEST), TEST.human) > 0.8


def test_constant_scores_have_no_direction_to_go() -> None:
    loss = rank_loss()
    value, gradient = loss(np.zeros(9))
    assert value == 1.0
    assert not gradient.any()


def test_weighted_ranks_are_those_of_repeated_items() -> None:
    rng = np.random.default_rng(0)
    values, times = rng.integers(0, 5, 30).astype(float), rng.integers(1, 4, 30)
    repeated = average_ranks(np.repeat(values, times)) - 0.5
    np.testing.assert_allclose(np.repeat(weighted_ranks(values, times.astype(float)), times), repeated)
