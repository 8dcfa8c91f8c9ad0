"""What must not matter to any strategy: the order of items, constants per layer, how the scale is labelled."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lager.data.cache.readouts import Readouts
from lager.data.scale import Scale
from lager.train.strategies.fit import fit_strategy
from support.readouts import SCALE, simulate

NAMES = [
    "lager", "lager-tuned", "prob-tuned", "lager-tuned+free", "lager-shrunk", "lager-scaled", "lager-rank",
    "lager-early:5", "best-layer", "ridge", "ordinal", "isotonic:lager", "probe",
]  # fmt: skip
EXACT = replace(simulate(90, n_layers=6, informative=(3, 4)), weight=None)
EXACT = replace(EXACT, logits=EXACT.logits.astype(np.float64))


def predicted(name: str, train: Readouts, test: Readouts | None = None) -> np.ndarray:
    return fit_strategy(name, train).predict(train if test is None else test)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "lager-shrunk"])
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_items(name: str, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(EXACT))
    np.testing.assert_allclose(predicted(name, EXACT.take(order)), predicted(name, EXACT)[order], atol=2e-3)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000), size=st.sampled_from([0.1, 10.0, 300.0]))
def test_a_constant_per_item_and_layer(name: str, seed: int, size: float) -> None:
    shift = np.random.default_rng(seed).normal(scale=size, size=(*EXACT.logits.shape[:2], 1))
    shifted = replace(EXACT, logits=EXACT.logits + shift)
    np.testing.assert_allclose(predicted(name, shifted), predicted(name, EXACT), atol=2e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("factor", "offset"), [(2.0, 0.0), (0.25, -3.0), (-1.0, 6.0)])
def test_other_values_for_the_same_labels(name: str, factor: float, offset: float) -> None:
    scale = Scale(SCALE.labels, tuple(factor * v + offset for v in SCALE.values))
    relabelled = replace(EXACT, human=factor * EXACT.human + offset, scale=scale)
    np.testing.assert_allclose(predicted(name, relabelled), factor * predicted(name, EXACT) + offset, atol=4e-3)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_labels(name: str) -> None:
    turned = Scale(SCALE.labels[::-1], SCALE.values[::-1])
    other = replace(EXACT, logits=EXACT.logits[:, :, ::-1], scale=turned)
    np.testing.assert_allclose(predicted(name, other), predicted(name, EXACT), atol=2e-3)
