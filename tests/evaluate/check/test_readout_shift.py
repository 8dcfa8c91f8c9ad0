"""A shift of what layers say is seen without labels, and rarely where there is none."""

import json
from itertools import product

import lager
import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.evaluate.check.readout_shift import readout_shift


def draw(rng, n=40, layers=6, *, shift=0.0, at=3, size=3):
    cluster = np.repeat(np.arange(n), size)
    then = rng.uniform(1, 5, size=(n * size, layers))
    change = 0.2 * (rng.normal(size=then.shape) + rng.normal(size=(n, layers))[cluster])
    change[:, at] += shift
    return then, then + change, [f"c{one}" for one in cluster]


def test_the_layer_that_shifted_is_found():
    then, now, cluster = draw(np.random.default_rng(0), shift=0.2)
    found = readout_shift(then, now, cluster=cluster)
    assert found.seen
    assert found.largest.layer == 3
    assert found.largest.mean == pytest.approx((now - then)[:, 3].mean())
    assert found.largest.size == pytest.approx(np.abs(now - then)[:, 3].mean())
    assert all(one.p > 0.05 for one in found.layers if one.layer != 3)


def test_without_a_shift_one_is_seen_as_rarely_as_stated():
    seen = 0
    for seed in range(150):
        then, now, cluster = draw(np.random.default_rng(seed), n=15)
        seen += readout_shift(then, now, cluster=cluster, permutations=99, seed=seed).seen
    assert seen <= 15  # 7.5 expected


def test_p_is_that_of_every_flip_of_signs():
    rng = np.random.default_rng(1)
    change = rng.normal(0.3, 1, size=(8, 2))
    t = [
        np.abs(flipped.mean(axis=0)) / (flipped.std(axis=0, ddof=1) / np.sqrt(8))
        for flipped in (change * np.array(signs)[:, None] for signs in product((1, -1), repeat=8))
    ]
    seen = np.abs(change.mean(axis=0)) / (change.std(axis=0, ddof=1) / np.sqrt(8))
    exact = np.mean(np.max(t, axis=1)[:, None] >= seen - 1e-12, axis=0)
    found = readout_shift(np.zeros((8, 2)), change, permutations=20_000)
    assert [one.p for one in found.layers] == pytest.approx(exact, abs=0.015)


def test_equal_readouts_have_p_1_and_layers_that_never_change_do_no_harm():
    then, now, cluster = draw(np.random.default_rng(2), shift=0.3)
    assert readout_shift(then, then, cluster=cluster).p == 1.0
    now[:, 0] = then[:, 0]
    found = readout_shift(then, now, cluster=cluster)
    assert (found.layers[0].p, found.seen) == (1.0, True)


def test_the_result_is_json_and_the_function_is_public():
    told = json.loads(json.dumps(lager.readout_shift(*draw(np.random.default_rng(3))[:2]).as_json()))
    assert [one["layer"] for one in told["layers"]] == list(range(6))
    assert told["n"] == told["n_clusters"] == 120


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"new": np.zeros((3, 2))}, "expected .n_items, n_layers . 1."),
        ({"new": np.full((4, 2), np.nan)}, "not finite"),
        ({"cluster": ["a"] * 4}, "of one cluster"),
        ({"cluster": ["a"] * 3}, "3 labels for 4 items"),
        ({"permutations": 0}, "expected 1 or more"),
    ],
)
def test_bad_input_is_told(change, message):
    with pytest.raises(LagerError, match=message):
        readout_shift(**({"baseline": np.zeros((4, 2)), "new": np.zeros((4, 2))} | change))
