"""The training loss, its gradient and its targets."""

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.train.aggregator.mixing import softmax
from lager.train.solvers.mixture_loss import MixtureLoss, label_major
from lager.train.solvers.training_targets import target_distributions, truncated_targets

VALUES = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def problem(error: str, *, values: np.ndarray = VALUES, n: int = 30, n_entries: int = 6) -> MixtureLoss:
    rng = np.random.default_rng(1)
    human = rng.uniform(values.min(), values.max(), n)
    logits = rng.normal(scale=2.0, size=(n, n_entries, len(values)))
    return MixtureLoss(label_major(logits), target_distributions(human, values), human, values, 0.7, 0.6, error)


def test_loss_is_the_papers_equation_written_out() -> None:
    rng = np.random.default_rng(2)
    logits, human = rng.normal(size=(20, 4, 5)), rng.integers(1, 6, 20).astype(float)
    weights = rng.uniform(size=4)
    loss = MixtureLoss(label_major(logits), target_distributions(human, VALUES), human, VALUES, 1.0, 0.3, "absolute")
    proba = softmax(sum(w * logits[:, layer] for layer, w in enumerate(weights)))
    cross_entropy = -np.log(proba[np.arange(20), human.astype(int) - 1]).mean()
    mae = np.abs(proba @ VALUES - human).mean()
    assert loss(weights)[0] == pytest.approx(0.3 * cross_entropy + 0.7 * mae, rel=1e-12)


@pytest.mark.parametrize("error", ["squared", "absolute"])
@pytest.mark.parametrize("values", [VALUES, np.array([4.0, 3.0, 0.5])], ids=["1-5", "descending, unequal steps"])
def test_gradient_agrees_with_finite_differences(error: str, values: np.ndarray) -> None:
    loss = problem(error, values=values)
    weights = np.random.default_rng(3).uniform(-0.3, 0.6, 6)
    _, gradient = loss(weights)
    for entry in range(6):
        step = np.zeros(6)
        step[entry] = 1e-6
        slope = (loss(weights + step)[0] - loss(weights - step)[0]) / 2e-6
        assert gradient[entry] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_a_batch_has_the_loss_of_its_items() -> None:
    loss = problem("squared")
    weights = np.full(6, 1 / 6)
    halves = [loss.take(np.arange(15))(weights)[0], loss.take(np.arange(15, 30))(weights)[0]]
    assert np.mean(halves) == pytest.approx(loss(weights)[0], rel=1e-12)


def test_the_loss_of_some_items_lies_in_memory_in_order() -> None:
    taken = problem("squared").take(np.array([3, 1, 2]))
    assert taken.logits.flags.c_contiguous  # else every evaluation would copy it, the most costly part of a fit
    assert taken.targets.flags.c_contiguous


def test_huge_logits_do_not_overflow() -> None:
    loss = problem("squared")
    value, gradient = loss(np.full(6, 1e5))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    "values", [VALUES, np.array([4.0, 3.0, 2.0]), np.array([0.0, 1.0, 10.0]), np.array([1.0, 1.0, 3.0])]
)
def test_target_distributions_keep_the_score_as_their_mean(values: np.ndarray) -> None:
    human = np.linspace(values.min(), values.max(), 41)
    targets = target_distributions(human, values)
    np.testing.assert_allclose(targets.sum(axis=0), 1.0)
    np.testing.assert_allclose(values @ targets, human, atol=1e-12)
    assert (targets >= 0).all()


def test_target_distributions_use_the_neighbouring_values_in_their_order_not_the_labels() -> None:
    targets = target_distributions(np.array([3.25, 2.0]), np.array([4.0, 2.0, 3.0]))
    np.testing.assert_allclose(targets, [[0.25, 0.0], [0.0, 1.0], [0.75, 0.0]])


def test_labels_of_equal_value_share_their_mass() -> None:
    np.testing.assert_allclose(target_distributions(np.array([1.0]), np.array([1.0, 1.0, 3.0])), [[0.5], [0.5], [0.0]])


def test_a_mean_just_past_the_end_by_rounding_is_on_the_scale() -> None:
    np.testing.assert_allclose(target_distributions(np.array([5.0 + 1e-9]), VALUES)[:, 0], [0, 0, 0, 0, 1])


def test_scores_off_the_scale_are_refused_with_count_and_range() -> None:
    with pytest.raises(LagerError, match=r"2 of 3 human scores are off the scale 1 to 5 \(the first is 0\)"):
        target_distributions(np.array([0.0, 3.0, 7.0]), VALUES)


def test_truncation_cuts_and_never_rounds() -> None:
    one_hot, truncated = truncated_targets(np.array([4.999, 1.0]), VALUES)
    np.testing.assert_array_equal(truncated, [4.0, 1.0])
    np.testing.assert_array_equal(one_hot.argmax(axis=0), [3, 0])


def test_truncation_to_a_value_without_a_label_is_refused() -> None:
    with pytest.raises(LagerError, match=r"3\.5 becomes 3, which no label"):
        truncated_targets(np.array([2.0, 3.5]), np.array([1.0, 2.0, 5.0]))
