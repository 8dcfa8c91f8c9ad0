"""lager-shrunk: between lager and lager-tuned, where left-out clusters put it."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.train.solvers.rank_correlation import spearman
from lager.train.strategies.fit import fit_strategy
from lager.train.strategies.shrunk import STRENGTHS
from support.readouts import from_arrays, simulate
from support.shrinkage import TRUTHS, draw_items, informative_layers

TRAIN = simulate(200, seed=3)


def test_weights_lie_between_even_and_tuned_ones() -> None:
    fitted = fit_strategy("lager-shrunk", TRAIN)
    strength = fitted.parameters["strength"]
    tuned = np.array(fit_strategy("lager-tuned", TRAIN).weights)
    np.testing.assert_allclose(fitted.weights, (1 - strength) * tuned + strength / 9)
    curve = fitted.training["spearman_by_strength"]
    assert len(curve) == len(STRENGTHS)
    assert curve[list(STRENGTHS).index(strength)] == max(curve)


def test_where_all_layers_are_alike_it_is_nearly_lager_and_where_few_know_it_is_not() -> None:
    rng = np.random.default_rng(0)
    for truth, low, high in (("uniform", 0.7, 1.0), ("sparse", 0.0, 0.8)):
        signal = informative_layers(truth, rng)
        data = from_arrays(*draw_items(100, signal, rng.normal(scale=0.5, size=(33, 5)), rng))
        assert low <= fit_strategy("lager-shrunk", data).parameters["strength"] <= high


@pytest.mark.slow
def test_regret_on_fresh_items_is_small_and_few_labels_gain_over_tuning() -> None:
    regrets, gains = [], []
    for seed in range(2):
        for truth in TRUTHS:
            for n in (50, 200):
                rng = np.random.default_rng([seed, n, TRUTHS.index(truth)])
                signal, tilt = informative_layers(truth, rng, 17), rng.normal(scale=0.5, size=(17, 5))
                train = from_arrays(*draw_items(n, signal, tilt, rng))
                test = from_arrays(*draw_items(4000, signal, tilt, rng))
                rho = {
                    name: spearman(fit_strategy(name, train).predict(test), test.human)
                    for name in ("lager", "lager-tuned", "lager-shrunk")
                }
                regrets.append(max(rho["lager"], rho["lager-tuned"]) - rho["lager-shrunk"])
                gains += [rho["lager-shrunk"] - rho["lager-tuned"]] if n == 50 else []
    assert np.mean(regrets) <= 0.005
    assert max(regrets) <= 0.02
    assert np.mean(gains) > 0.005


def test_clusters_stay_whole_when_the_strength_is_chosen() -> None:
    # Each text's items differ only in noise that no cluster shares: leaking them would reward the tuned weights.
    alone = replace(TRAIN, cluster=np.arange(200).astype(str).astype(object))
    curves = [fit_strategy("lager-shrunk", data).training["spearman_by_strength"] for data in (TRAIN, alone)]
    assert curves[0] != curves[1]


@pytest.mark.parametrize("name", ["lager-shrunk", "lager-early", "isotonic", "ridge", "ordinal"])
def test_a_single_cluster_is_refused_with_the_remedy(name: str) -> None:
    one = replace(TRAIN, cluster=np.array(["text"] * 200, dtype=object))
    with pytest.raises(LagerError, match="needs two or more, got 1 in 200 items"):
        fit_strategy(name, one)
