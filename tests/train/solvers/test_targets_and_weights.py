"""Annotators' distributions as targets, and items that count differently."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.train.estimators.lager import LagerAggregator
from lager.train.solvers.layer_weights import fit_layer_weights
from lager.train.solvers.mixture_loss import MixtureLoss, label_major
from lager.train.solvers.training_targets import target_distributions
from lager.train.strategies.fit import fit_strategy
from support.readouts import SCALE, simulate

TRAIN = simulate(120)
VALUES = SCALE.array
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("error", ["squared", "absolute"])
def test_gradient_of_a_weighted_loss_agrees_with_finite_differences(error: str) -> None:
    weight = RNG.uniform(0.2, 2.0, 120)
    weight /= weight.mean()
    human = TRAIN.human + 0.01  # no residual at a kink
    loss = MixtureLoss(
        label_major(TRAIN.logits), target_distributions(TRAIN.human, VALUES), human, VALUES, 1.0, 0.6, error, weight
    )
    at = RNG.uniform(0, 0.3, 9)
    _, gradient = loss(at)
    for entry in range(9):
        step = 1e-6 * np.eye(9)[entry]
        assert gradient[entry] == pytest.approx((loss(at + step)[0] - loss(at - step)[0]) / 2e-6, rel=1e-4, abs=1e-8)


def test_annotators_replace_the_neighbouring_labels_where_they_are_known() -> None:
    annotators = np.full((120, 5), np.nan)
    annotators[0] = [0.5, 0, 0, 0, 0.5]
    targets = target_distributions(TRAIN.human, VALUES, annotators)
    np.testing.assert_array_equal(targets[:, 0], annotators[0])
    np.testing.assert_array_equal(targets[:, 1:], target_distributions(TRAIN.human, VALUES)[:, 1:])


@pytest.mark.parametrize("preset", ["converged", "paper"])
def test_disagreement_changes_the_fit_and_release_takes_none(preset: str) -> None:
    spread = RNG.dirichlet(np.ones(5), 120)
    plain, asked = fit_strategy("lager-tuned", TRAIN, preset=preset), replace(TRAIN, target=spread)
    assert fit_strategy("lager-tuned", asked, preset=preset).weights != plain.weights
    released = [fit_strategy("lager-tuned", data, preset="release").weights for data in (TRAIN, asked)]
    assert released[0] == released[1]
    fitted = LagerAggregator(preset=preset).fit(TRAIN.logits, TRAIN.human, target=spread)
    ungrouped = replace(asked, group=None)  # plain arrays have no groups
    assert tuple(fitted.weights_) == fit_strategy("lager-tuned", ungrouped, preset=preset).weights


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.ones((120, 4)) / 4, r"shape \(120, 4\), expected \(120, 5\)"),
        (np.ones((120, 5)), "each must sum to 1: give shares, not counts"),
        (np.tile([1.5, -0.5, 0, 0, 0], (120, 1)), "must not be negative"),
    ],
)
def test_targets_that_are_no_distributions_are_refused(target: np.ndarray, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        fit_layer_weights(TRAIN.logits, TRAIN.human, scale=SCALE, target=target)


@pytest.mark.parametrize(
    "weight", [np.ones(5), -np.ones(120), np.zeros(120), np.full(120, np.nan)], ids=["short", "minus", "zero", "nan"]
)
def test_weights_that_weigh_nothing_are_refused(weight: np.ndarray) -> None:
    with pytest.raises(LagerError, match="item weights must be 120 finite numbers"):
        fit_strategy("ridge", replace(TRAIN, weight=weight))


def test_only_one_class_left_by_the_weights_is_nothing_to_learn() -> None:
    same = np.where(TRAIN.human == TRAIN.human[0], 1.0, 0.0)
    assert same.sum() > 1
    for name in ("lager-tuned", "ridge", "ordinal", "isotonic", "lager-shrunk", "probe"):
        with pytest.raises(LagerError, match="nothing to learn"):
            fit_strategy(name, replace(TRAIN, weight=same))
