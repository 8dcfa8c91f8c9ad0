"""Options behind a strategy's name: which read-outs, which entries, which weights."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.train.solvers.layer_weights import fit_layer_weights
from lager.train.strategies.fit import derived, fit_strategy, untrained
from lager.train.strategies.registry import expand, lookup
from support.readouts import SCALE, simulate

TRAIN, TEST = simulate(160, seed=1), simulate(80, seed=2)
BOTH = [replace(one, logits_normed=2 * one.logits[:, ::-1]) for one in (TRAIN, TEST)]
FITTED = ["lager-tuned", "lager-shrunk", "lager-scaled", "lager-rank", "lager-early", "lager-early:6"]


@pytest.mark.parametrize("name", ["lager", "prob", "layer:3", "best-layer", "ridge", "ordinal", *FITTED])
def test_normed_reads_the_normed_read_outs_and_nothing_else(name: str) -> None:
    swapped = [replace(one, logits=one.logits_normed, logits_normed=one.logits) for one in BOTH]
    expected = fit_strategy(name, swapped[0]).predict(swapped[1])
    np.testing.assert_allclose(fit_strategy(f"{name}+normed", BOTH[0]).predict(BOTH[1]), expected)


@pytest.mark.parametrize("name", ["lager", "prob", "best-layer", "ridge", "ordinal", *FITTED])
def test_no_last_never_looks_at_the_last_entry(name: str) -> None:
    gone = [replace(one, logits=np.concatenate([one.logits[:, :-1], 1e3 * one.logits[:, :1]], axis=1)) for one in BOTH]
    fitted = [fit_strategy(f"{name}+no-last", data) for data in (BOTH[0], gone[0])]
    np.testing.assert_array_equal(fitted[0].predict(BOTH[1]), fitted[1].predict(gone[1]))
    if fitted[0].weights is not None:
        assert fitted[0].weights[-1] == 0.0


@pytest.mark.parametrize("name", FITTED)
def test_weights_keep_their_constraint(name: str) -> None:
    simplex, nonneg, free = (np.array(fit_strategy(name + word, TRAIN).weights) for word in ("", "+nonneg", "+free"))
    assert simplex.min() >= 0
    assert simplex.sum() == pytest.approx(1.0)
    assert nonneg.min() >= 0
    assert abs(nonneg.sum() - 1.0) > 1e-3
    assert name == "lager-shrunk" or free.min() < 0


def test_a_wider_constraint_never_has_a_higher_loss() -> None:
    losses = [
        fit_layer_weights(TRAIN.logits, TRAIN.human, scale=SCALE, constraint=constraint).loss
        for constraint in ("simplex", "nonneg", "free")
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[2]


def test_no_small_change_of_free_weights_lowers_the_loss() -> None:
    from lager.train.solvers.layer_weights import converged_loss

    loss = converged_loss(TRAIN.logits, TRAIN.human, scale=SCALE)
    fit = fit_layer_weights(TRAIN.logits, TRAIN.human, scale=SCALE, constraint="free")
    assert fit.settings["converged"]
    np.testing.assert_allclose(loss(fit.weights)[1], 0.0, atol=1e-5)


def test_tuned_strategies_share_the_fit_of_lager_tuned_with_the_same_options() -> None:
    assert lookup("prob-tuned+free+normed").fitted_as == "lager-tuned+normed+free"
    assert lookup("ridge").fitted_as == "ridge"
    fitted = fit_strategy("lager-tuned+no-last", TRAIN)
    assert derived(fitted, "lager-tuned-max+no-last").weights == fitted.weights
    with pytest.raises(LagerError, match="with the same options"):
        derived(fitted, "lager-tuned-max")


def test_names_have_one_spelling() -> None:
    names = [
        "lager-tuned+free+normed",
        "lager-tuned+normed+free",
        "lager-early:007",
        "isotonic:lager-tuned",
        "isotonic",
    ]
    assert expand(names) == ["lager-tuned+normed+free", "lager-early:7", "isotonic"]
    assert lookup("isotonic:lager+no-last+normed").name == "isotonic:lager+normed+no-last"
    assert lookup("probe:ridge").name == "probe"
    assert lookup("isotonic:layer:04") == lookup("isotonic:layer:4")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lager+norm", r"unknown option 'norm' .*\+normed, \+no-last"),
        ("lager-tuned+free+nonneg", "give one of them"),
        ("lager+free", "fits no layer weights"),
        ("best-layer+nonneg", "fits no layer weights"),
        ("ridge+free", "fits no layer weights"),
        ("e-score+normed", "last normed entry by definition"),
        ("layer:3+no-last", "uses one entry only"),
        ("isotonic+normed", "isotonic:lager-tuned"),
        ("group-mean+normed", "reads no score-token logits"),
        ("probe+normed", "reads no score-token logits"),
        ("isotonic:isotonic", "changes nothing"),
        ("isotonic:lagr", "did you mean lager"),
        ("probe:forest", "did you mean|choose from"),
        ("lager-early:x", "did you mean lager-early"),
    ],
)
def test_options_that_mean_nothing_are_refused(name: str, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        lookup(name)


@pytest.mark.parametrize("preset", ["paper", "release"])
def test_other_presets_have_their_own_constraint(preset: str) -> None:
    with pytest.raises(LagerError, match=f"preset {preset} has no .free: use preset converged"):
        fit_strategy("lager-tuned+free", TRAIN, preset=preset)


def test_fewer_items_than_free_weights_are_refused() -> None:
    with pytest.raises(LagerError, match="9 items for 9 free layer weights: label more than 9"):
        fit_strategy("lager-tuned+free", TRAIN.take(np.arange(9)))


def test_no_last_needs_two_entries() -> None:
    single = replace(TRAIN, logits=TRAIN.logits[:, :1])
    with pytest.raises(LagerError, match="only one"):
        fit_strategy("lager-tuned+no-last", single)
    with pytest.raises(LagerError, match="only one"):
        untrained("lager+no-last", n_layers=0, scale=SCALE)
