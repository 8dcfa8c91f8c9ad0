"""Fitting layer weights: convergence, recovery, determinism, invariances, refusals."""

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.train.aggregator.mixing import expected_value, mix_logits
from lager.train.aggregator.presets import PRESETS
from lager.train.solvers.layer_weights import fit_layer_weights
from lager.train.solvers.rank_correlation import spearman
from scipy.optimize import minimize
from support.readouts import SCALE, simulate

TRAIN = simulate(300)


def fit(logits: np.ndarray = TRAIN.logits, human: np.ndarray = TRAIN.human, **options):
    return fit_layer_weights(logits, human, **{"scale": SCALE, **options})


def written_out_loss(weights: np.ndarray, logits: np.ndarray, human: np.ndarray) -> float:
    """The objective of preset converged, item by item, on a 1-5 scale."""
    alpha = 1 / (1 + np.exp(-0.5))
    total = 0.0
    for item, score in zip(logits.astype(float), human, strict=True):
        z = weights @ item
        log_proba = z - z.max() - np.log(np.exp(z - z.max()).sum())
        low = min(int(score), 4)
        cross_entropy = -((low + 1 - score) * log_proba[low - 1] + (score - low) * log_proba[low])
        total += alpha * cross_entropy + (1 - alpha) * (np.exp(log_proba) @ np.arange(1, 6) - score) ** 2
    return total / len(human)


def test_reported_losses_are_the_objective_written_out() -> None:
    result = fit()
    assert result.loss == pytest.approx(written_out_loss(result.weights, TRAIN.logits, TRAIN.human), rel=1e-6)
    uniform = np.full(9, 1 / 9)
    assert result.loss_uniform == pytest.approx(written_out_loss(uniform, TRAIN.logits, TRAIN.human), rel=1e-6)


def test_converged_weights_are_a_mixture_that_no_start_of_softmax_beats() -> None:
    small = simulate(60, n_layers=4, informative=(2, 3))
    result = fit(small.logits, small.human)
    assert result.weights.min() >= 0
    assert result.weights.sum() == pytest.approx(1.0)
    assert result.settings["converged"]

    def of_softmax(v: np.ndarray) -> float:
        w = np.exp(v - v.max())
        return written_out_loss(w / w.sum(), small.logits, small.human)

    starts = np.random.default_rng(0).normal(size=(3, 5))
    assert result.loss <= min(minimize(of_softmax, start, method="L-BFGS-B").fun for start in starts) + 1e-7


@pytest.mark.parametrize("seed", range(5))
def test_no_single_layer_would_lower_the_converged_loss(seed: int) -> None:
    data = simulate(150, n_layers=20, informative=(12, 13, 14), seed=seed)
    result = fit(data.logits, data.human)
    for entry in range(21):
        towards = 0.999 * result.weights
        towards[entry] += 0.001
        assert written_out_loss(towards, data.logits, data.human) >= result.loss - 1e-7


@pytest.mark.parametrize("seed", range(6))
def test_layers_of_very_different_size_still_converge(seed: int) -> None:
    data = simulate(120, n_layers=30, informative=(20, 21), seed=seed)
    sizes = 10 ** np.random.default_rng(seed).uniform(-3, 3, size=(31, 1))
    result = fit(data.logits * sizes, data.human)
    assert result.settings["converged"]
    assert result.loss < 0.1 * result.loss_uniform


def test_read_outs_without_any_difference_leave_the_weights_uniform() -> None:
    np.testing.assert_allclose(fit(np.zeros((20, 4, 5)), TRAIN.human[:20]).weights, 0.25)


def test_planted_weights_are_recovered() -> None:
    rng = np.random.default_rng(5)
    planted = np.array([0.0, 0.1, 0.0, 0.5, 0.3, 0.1])
    logits = rng.normal(scale=3.0, size=(20_000, 6, 5))
    mixed = np.einsum("l,nlk->nk", planted, logits)
    human = (mixed + rng.gumbel(size=mixed.shape)).argmax(axis=1) + 1.0  # a draw from softmax(mixed)
    np.testing.assert_allclose(fit(logits, human).weights, planted, atol=0.02)


@pytest.mark.parametrize("preset", PRESETS)
def test_tuning_lowers_the_loss_and_finds_the_informative_layers(preset: str) -> None:
    result = fit(preset=preset)
    assert result.loss < result.loss_uniform
    assert set(np.argsort(result.weights)[-2:]) == {5, 6}


@pytest.mark.parametrize("preset", PRESETS)
def test_same_data_same_weights(preset: str) -> None:
    np.testing.assert_array_equal(fit(preset=preset).weights, fit(preset=preset).weights)


def test_seed_changes_the_batches_of_paper_and_release_but_not_converged() -> None:
    assert not np.array_equal(fit(preset="paper").weights, fit(preset="paper", seed=7).weights)
    assert not np.array_equal(fit(preset="release").weights, fit(preset="release", seed=7).weights)
    np.testing.assert_array_equal(fit().weights, fit(seed=7).weights)


def test_release_drops_the_last_entry_and_paper_does_not() -> None:
    changed = TRAIN.logits.copy()
    changed[:, -1] += np.random.default_rng(0).normal(size=changed[:, -1].shape)
    np.testing.assert_array_equal(fit(preset="release").weights, fit(changed, preset="release").weights)
    assert fit(preset="release").weights[-1] == 0.0
    assert not np.array_equal(fit(preset="paper").weights, fit(changed, preset="paper").weights)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_constant_per_item_and_layer_changes_nothing(preset: str) -> None:
    logits = TRAIN.logits.astype(np.float64)
    shift = np.random.default_rng(0).normal(scale=50.0, size=(*logits.shape[:2], 1))
    np.testing.assert_allclose(
        fit(logits + shift, preset=preset).weights, fit(logits, preset=preset).weights, atol=1e-6
    )


def test_the_order_of_items_changes_nothing_in_converged() -> None:
    order = np.random.default_rng(0).permutation(len(TRAIN))
    np.testing.assert_allclose(fit(TRAIN.logits[order], TRAIN.human[order]).weights, fit().weights, atol=1e-6)


@pytest.mark.parametrize("preset", ["converged", "paper"])
@pytest.mark.parametrize(("factor", "offset"), [(2.0, 0.0), (0.25, -3.0), (-1.0, 6.0)])
def test_relabelling_the_scale_changes_nothing(preset: str, factor: float, offset: float) -> None:
    relabelled = Scale(SCALE.labels, tuple(factor * v + offset for v in SCALE.values))
    other = fit(human=factor * TRAIN.human + offset, scale=relabelled, preset=preset)
    np.testing.assert_allclose(other.weights, fit(preset=preset).weights, atol=1e-6)


def test_listing_the_labels_in_another_order_changes_nothing() -> None:
    reversed_scale = Scale(SCALE.labels[::-1], SCALE.values[::-1])
    np.testing.assert_allclose(fit(TRAIN.logits[:, :, ::-1], scale=reversed_scale).weights, fit().weights, atol=1e-6)


def test_unequal_steps_and_letters_work() -> None:
    scale = Scale.parse("A=10,B=4,C=1,D=0")
    data = simulate(300, scale=scale)
    weights = fit(data.logits, data.human, scale=scale).weights
    scores = expected_value(mix_logits(data.logits, weights), scale.array)
    assert spearman(scores, data.human) > 0.8


def test_fewer_items_than_weights_still_gives_a_mixture() -> None:
    result = fit(TRAIN.logits[:4], TRAIN.human[:4])
    assert result.weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, np.full_like(y, 3.0)), "all 300 human scores are 3, so there is nothing to learn"),
        (lambda x, y: (x[:1], y[:1]), "got 1 sample"),
        (lambda x, y: (x[:0], y[:0]), "no item with a human score"),
        (lambda x, y: (x, np.where(np.arange(300) < 2, np.nan, y)), "2 of 300 human scores are not finite"),
        (lambda x, y: (np.where(np.arange(300)[:, None, None] == 7, np.inf, x), y), "1 of 300 items have read-outs"),
        (lambda x, y: (x[:, :, :4], y), "the read-outs have 4 labels and the scale 1-5 has 5"),
        (lambda x, y: (x, y[:-1]), "expected .n_items, n_layers"),
        (lambda x, y: (x, y + 3), "off the scale 1 to 5"),
    ],
)
def test_unusable_training_data_is_refused_with_the_reason(change, message: str) -> None:
    logits, human = change(TRAIN.logits, TRAIN.human)
    with pytest.raises(LagerError, match=message):
        fit(logits, human)


def test_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LagerError, match="'fast': choose one of converged, paper, release"):
        fit(preset="fast")


def test_release_needs_two_entries() -> None:
    with pytest.raises(LagerError, match="only one"):
        fit(TRAIN.logits[:, :1], preset="release")
