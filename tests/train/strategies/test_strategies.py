"""Every strategy by name: what it computes, on what, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.train.aggregator.aggregator import Aggregator
from lager.train.solvers.rank_correlation import average_ranks, spearman
from lager.train.strategies.fit import derived, fit_strategy, untrained
from lager.train.strategies.registry import ABLATION, expand, lookup, needs_fitting, strategy_names
from scipy.special import softmax
from scipy.stats import rankdata, spearmanr
from support.readouts import SCALE, from_arrays, simulate

TRAIN, TEST = simulate(240, seed=1), simulate(100, seed=2)
VALUES = np.arange(1.0, 6.0)
RAW, FINAL = TEST.logits.astype(float), TEST.logits_normed[:, -1].astype(float)


def scores(name: str, **options) -> np.ndarray:
    return fit_strategy(name, TRAIN, **options).predict(TEST)


def test_untuned_strategies_are_their_definitions() -> None:
    by_layer = softmax(RAW, axis=-1)
    np.testing.assert_allclose(scores("vscore"), FINAL.argmax(axis=-1) + 1)
    np.testing.assert_allclose(scores("e-score"), softmax(FINAL, axis=-1) @ VALUES)
    np.testing.assert_allclose(scores("lager"), softmax(RAW.mean(axis=1), axis=-1) @ VALUES)
    np.testing.assert_allclose(scores("lager-max"), RAW.mean(axis=1).argmax(axis=-1) + 1)
    np.testing.assert_allclose(scores("prob"), by_layer.mean(axis=1) @ VALUES)
    np.testing.assert_allclose(scores("prob-max"), by_layer.mean(axis=1).argmax(axis=-1) + 1)
    np.testing.assert_allclose(scores("layer:3"), by_layer[:, 3] @ VALUES)
    np.testing.assert_array_equal(scores("length"), TEST.n_tokens)


def test_tuned_strategies_all_use_the_weights_of_lager_tuned() -> None:
    fitted = fit_strategy("lager-tuned", TRAIN)
    intercepts = np.array([fitted.parameters["group_intercepts"][group] for group in TEST.group])
    leaning = RAW + intercepts[:, None]
    mixed, by_layer = (np.einsum("l,nlk->nk", fitted.weights, one) for one in (leaning, softmax(leaning, axis=-1)))
    np.testing.assert_allclose(scores("lager-tuned"), softmax(mixed, axis=-1) @ VALUES)
    np.testing.assert_allclose(scores("lager-tuned-max"), mixed.argmax(axis=-1) + 1)
    np.testing.assert_allclose(scores("prob-tuned"), by_layer @ VALUES)
    np.testing.assert_allclose(scores("prob-tuned-max"), by_layer.argmax(axis=-1) + 1)


def test_release_drops_the_last_entry_and_squashes_summed_probabilities_twice() -> None:
    kept = RAW[:, :-1]
    summed = softmax(kept, axis=-1).sum(axis=1)
    np.testing.assert_allclose(scores("lager", preset="release"), softmax(kept.mean(axis=1), axis=-1) @ VALUES)
    np.testing.assert_allclose(scores("prob", preset="release"), softmax(summed, axis=-1) @ VALUES)
    np.testing.assert_allclose(scores("e-score", preset="release"), scores("e-score"))


def test_final_strategies_look_at_the_last_normed_entry_only() -> None:
    assert np.isnan(TEST.logits_normed[:, :-1]).all(), "the simulated read-outs have no other normed entries"
    raw_gone = replace(TEST, logits=np.full_like(TEST.logits, np.nan))
    np.testing.assert_array_equal(fit_strategy("e-score", TRAIN).predict(raw_gone), scores("e-score"))


def test_equally_likely_labels_give_the_smallest_value_whatever_their_order() -> None:
    tied = np.zeros((1, 3, 3), np.float32)
    for text in ("1-3", "A=3,B=2,C=1", "A=2,B=1,C=3"):
        readouts = from_arrays(tied, np.zeros(1), scale=Scale.parse(text))
        for name in ("vscore", "lager-max", "prob-max"):
            assert untrained(name, n_layers=2, scale=readouts.scale).predict(readouts) == [1.0]


def test_best_layer_is_the_one_of_highest_training_spearman() -> None:
    rho = [spearman(fit_strategy(f"layer:{n}", TRAIN).predict(TRAIN), TRAIN.human) for n in range(9)]
    best = fit_strategy("best-layer", replace(TRAIN, pooled=True))
    assert best.parameters["layer"] == int(np.argmax(rho))
    assert best.parameters["spearman"] == pytest.approx(max(rho))
    np.testing.assert_array_equal(best.predict(TEST), scores(f"layer:{best.parameters['layer']}"))


def test_best_layer_refuses_read_outs_that_never_vary() -> None:
    flat = from_arrays(np.zeros((10, 3, 5), np.float32), np.arange(10) % 5 + 1.0)
    with pytest.raises(LagerError, match="no layer's score varies"):
        fit_strategy("best-layer", flat)


def test_group_mean_falls_back_to_the_overall_mean_for_unseen_groups_and_none() -> None:
    fitted = fit_strategy("group-mean", TRAIN)
    first = TRAIN.human[TRAIN.group == "criterion0"].mean()
    groups = np.array(["criterion0", "unseen", None] + ["criterion1"] * 97, dtype=object)
    predicted = fitted.predict(replace(TEST, group=groups))
    np.testing.assert_allclose(predicted[:3], [first, TRAIN.human.mean(), TRAIN.human.mean()])
    np.testing.assert_allclose(fitted.predict(replace(TEST, group=None)), TRAIN.human.mean())
    assert fit_strategy("group-mean", replace(TRAIN, group=None)).parameters["group_means"] == {}


def test_unlabelled_items_are_left_out_of_fitting() -> None:
    half = np.where(np.arange(len(TRAIN)) % 2, np.nan, TRAIN.human)
    labelled = TRAIN.take(np.arange(len(TRAIN)) % 2 == 0)
    for name in ("lager-tuned", "best-layer", "group-mean"):
        partly = fit_strategy(name, replace(TRAIN, human=half))
        assert partly.training["n"] == 120
        np.testing.assert_array_equal(partly.predict(TEST), fit_strategy(name, labelled).predict(TEST))


@pytest.mark.parametrize("name", [name for name in strategy_names() if needs_fitting(name)])
def test_no_labels_at_all_is_an_error(name: str) -> None:
    with pytest.raises(LagerError, match="no item with a human score"):
        fit_strategy(name, replace(TRAIN, human=np.full(len(TRAIN), np.nan)))


@pytest.mark.parametrize("preset", ["converged", "paper", "release"])
@pytest.mark.parametrize("name", ABLATION)
def test_scores_are_finite_and_proba_is_a_distribution(name: str, preset: str) -> None:
    fitted = fit_strategy(name, TRAIN, preset=preset)
    proba = fitted.predict_proba(TEST)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert proba.min() >= 0
    predicted = fitted.predict(TEST)
    assert predicted.dtype == np.float64
    assert ((predicted >= 1) & (predicted <= 5)).all()


def test_many_items_are_scored_as_in_one_go() -> None:
    many = TEST.take(np.tile(np.arange(100), 100))
    for name in ("lager", "prob"):
        np.testing.assert_array_equal(fit_strategy(name, TRAIN).predict(many), np.tile(scores(name), 100))


@pytest.mark.parametrize("name", ["e-score", "lager", "prob", "layer:2"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_read_out_that_is_not_finite_is_refused_with_its_row(name: str, bad: float) -> None:
    logits, normed = TEST.logits.copy(), TEST.logits_normed.copy()
    logits[5, 2, 0] = normed[5, -1, 0] = bad
    with pytest.raises(LagerError, match=r"1 of 100 items .*the first is row 5"):
        fit_strategy(name, TRAIN).predict(replace(TEST, logits=logits, logits_normed=normed))


def test_another_layer_count_is_refused_with_both_counts() -> None:
    with pytest.raises(LagerError, match="fitted on 8 layers and the read-outs have 4"):
        fit_strategy("lager-tuned", TRAIN).predict(simulate(10, n_layers=4, informative=(2,)))


def test_layer_weights_apply_to_another_scale_and_group_means_do_not() -> None:
    wide = simulate(50, scale=Scale.parse("1-9"))
    predicted = fit_strategy("lager-tuned", TRAIN).predict(wide)
    assert spearman(predicted, wide.human) > 0.7
    assert predicted.max() > 5
    with pytest.raises(LagerError, match="1-5, the items are on 1-9"):
        fit_strategy("group-mean", TRAIN).predict(wide)


def test_weights_without_positive_sum_have_no_probability_mixture() -> None:
    upside_down = Aggregator(lookup("prob-tuned"), "paper", SCALE, 8, (-1.0,) * 9)
    with pytest.raises(LagerError, match="without any probability"):
        upside_down.predict(TEST)


def test_baselines_have_no_distribution() -> None:
    with pytest.raises(LagerError, match="length has no distribution"):
        fit_strategy("length", TRAIN).predict_proba(TEST)


def test_all_is_every_fixed_name_once() -> None:
    assert expand(["lager", "all", "layer:02", "layer:2"]) == [
        "lager",
        *[name for name in strategy_names() if name != "lager"],
        "layer:2",
    ]
    assert expand(["all"]) == list(strategy_names())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lager-tunned", "did you mean lager-tuned"),
        ("zzz", r"choose from vscore, .*length, layer:N"),
        ("layer:x", "written layer:N"),
        ("layer:-1", "written layer:N"),
        ("layer", "written layer:N"),
        ("", "choose from"),
    ],
)
def test_unknown_names_are_refused_with_what_is_near(name: str, message: str) -> None:
    for ask in (needs_fitting, lambda n: expand([n]), lambda n: fit_strategy(n, TRAIN)):
        with pytest.raises(LagerError, match=message):
            ask(name)


def test_a_layer_past_the_end_is_refused_with_the_last_one() -> None:
    with pytest.raises(LagerError, match="layer:0 to layer:8"):
        fit_strategy("layer:9", TRAIN)


def test_untrained_refuses_what_needs_fitting_and_derived_what_shares_no_weights() -> None:
    with pytest.raises(LagerError, match="has to be fitted"):
        untrained("lager-tuned", n_layers=8, scale=SCALE)
    with pytest.raises(LagerError, match="cannot derive best-layer from lager-tuned"):
        derived(fit_strategy("lager-tuned", TRAIN), "best-layer")
    with pytest.raises(LagerError, match="cannot derive prob-tuned from lager"):
        derived(fit_strategy("lager", TRAIN), "prob-tuned")


@pytest.mark.parametrize(
    ("weights", "message"),
    [(None, "got none"), ((0.5, 0.5), "got 2"), ((np.nan,) * 9, "finite"), ((0.0,) * 9, "not all zero")],
)
def test_an_aggregator_that_could_not_score_cannot_be_made(weights, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        Aggregator(lookup("lager-tuned"), "converged", SCALE, 8, weights)


def test_spearman_agrees_with_scipy_ties_included() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 80).astype(float), rng.integers(0, 4, 80).astype(float)
    np.testing.assert_array_equal(average_ranks(a), rankdata(a))
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_undefined_spearman_is_none_and_not_zero() -> None:
    assert spearman(np.ones(5), np.arange(5.0)) is None
    assert spearman(np.ones(1), np.ones(1)) is None
    assert spearman(np.zeros(0), np.zeros(0)) is None
