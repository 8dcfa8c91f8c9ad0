"""The authors' released code, reproduced to six digits without torch."""

import json
from pathlib import Path

import numpy as np
import pytest
from lager.data.tools.import_release import import_release
from lager.train.solvers.adam import dataloader_orders
from lager.train.solvers.layer_weights import fit_layer_weights
from lager.train.solvers.rank_correlation import spearman
from lager.train.strategies.fit import derived, fit_strategy
from lager.train.strategies.registry import ABLATION
from lager.train.training_run import train_on_cache
from support.readouts import RELEASED_NAMES, SCALE, released_results


@pytest.fixture(scope="module")
def parity(shared: Path) -> Path:
    return shared / "reference" / "release-parity"


@pytest.fixture(scope="module")
def expected(parity: Path) -> dict:
    return json.loads((parity / "p_expected.json").read_text())


@pytest.mark.shared
def test_release_weights_equal_the_released_codes(parity: Path, expected: dict) -> None:
    valid = released_results(parity / "p_valid.json.gz")
    fit = fit_layer_weights(valid.logits, valid.human, scale=SCALE, preset="release")
    np.testing.assert_allclose(fit.weights[:-1], expected["weights"], atol=1e-6, rtol=0)
    assert fit.weights[-1] == 0.0


@pytest.mark.shared
@pytest.mark.parametrize("name", ABLATION)
def test_release_correlations_equal_the_released_codes(name: str, parity: Path, expected: dict) -> None:
    valid, test = released_results(parity / "p_valid.json.gz"), released_results(parity / "p_test.json.gz")
    assert len(test) == expected["n"]
    scores = fit_strategy(name, valid, preset="release").predict(test)
    pearson, rho = expected["corr_pearson_spearman"][RELEASED_NAMES[name]]
    assert np.corrcoef(scores, test.human)[0, 1] == pytest.approx(pearson, abs=1e-6)
    assert spearman(scores, test.human) == pytest.approx(rho, abs=1e-6)


@pytest.mark.shared
def test_tuned_strategies_derived_from_one_fit_are_those_fitted_alone(parity: Path) -> None:
    valid = released_results(parity / "p_valid.json.gz")
    tuned = fit_strategy("lager-tuned", valid, preset="release")
    for name in ("lager-tuned-max", "prob-tuned", "prob-tuned-max"):
        np.testing.assert_array_equal(
            derived(tuned, name).predict(valid), fit_strategy(name, valid, preset="release").predict(valid)
        )


@pytest.mark.shared
def test_a_cache_imported_from_released_results_trains_to_the_same_weights(
    parity: Path, expected: dict, tmp_path: Path
) -> None:
    cache = import_release(parity / "p_valid.json.gz", cache=tmp_path / "valid", model="p")
    aggregator = train_on_cache(cache, preset="release").record.aggregator
    np.testing.assert_allclose(aggregator.weights, [*expected["weights"], 0.0], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("n", "seed"), [(1, 42), (10, 42), (203, 0), (50, 2**31)])
def test_orders_are_those_of_a_torch_dataloader(n: int, seed: int) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    loader = torch.utils.data.DataLoader(list(range(n)), batch_size=4, shuffle=True)
    orders = dataloader_orders(n, seed=seed)
    for _ in range(3):
        assert [int(i) for batch in loader for i in batch] == next(orders).tolist()


def test_an_order_visits_every_item_once() -> None:
    assert sorted(next(dataloader_orders(97, seed=1))) == list(range(97))
