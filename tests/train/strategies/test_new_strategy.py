"""A strategy is its own class and one line in the registry: nothing else has to know it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lager.cli import app
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.files.canonical import seal
from lager.data.scale import Scale
from lager.train.aggregator.mixing import expected_value, softmax
from lager.train.aggregator.parameter_checks import is_vector, need
from lager.train.aggregator.strategy import Learnt, Strategy
from lager.train.files.aggregator_file import load_aggregator, save_aggregator
from lager.train.strategies import registry
from lager.train.strategies.fit import fit_strategy, why_not
from support.caches import make_cache
from support.readouts import simulate
from typer.testing import CliRunner

TRAIN, TEST = simulate(120, seed=1), simulate(60, seed=2)


@dataclass(frozen=True)
class Shifted(Strategy):
    """The expectation at the last entry, moved by the mean error on the training items."""

    key: str = "shifted"
    summary: str = "last entry, moved to the human mean"
    needs = frozenset({"labels", "logits"})
    takes = frozenset({"normed"})
    bound_to_scale = True

    def fit(self, train, *, preset: str, seed: int) -> Learnt:
        shift = float((train.human - self._at_last(train)).mean())
        return Learnt(None, {"shift": shift}, {"n": len(train)})

    def check(self, fitted) -> None:
        super().check(fitted)
        need(is_vector([fitted.parameters.get("shift")]), self.name, "a finite `shift`")

    def told(self, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        return {"shift": f"{parameters['shift']:.2f}"}

    def predict(self, fitted, readouts) -> np.ndarray:
        self.logits(fitted, readouts)
        return self._at_last(readouts) + fitted.parameters["shift"]

    def _at_last(self, readouts) -> np.ndarray:
        return expected_value(softmax(getattr(readouts, self.dataset)[:, -1].astype(float)), readouts.scale.array)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "STRATEGIES", (*registry.STRATEGIES, Shifted()))


def test_it_is_fitted_saved_and_loaded_and_its_scores_come_back(registered: None, tmp_path: Path) -> None:
    fitted = fit_strategy("shifted", TRAIN)
    np.testing.assert_allclose(fitted.predict(TRAIN).mean(), TRAIN.human.mean())
    save_aggregator(tmp_path / "a.json", fitted)
    loaded = load_aggregator(tmp_path / "a.json").aggregator
    assert loaded == fitted
    np.testing.assert_array_equal(loaded.predict(TEST), fitted.predict(TEST))


def test_what_it_says_of_itself_is_what_is_done(registered: None, tmp_path: Path) -> None:
    assert registry.expand(["all"])[-1] == "shifted"
    assert fit_strategy("isotonic:shifted+normed", TRAIN).parameters["base"]["strategy"] == "shifted+normed"
    fitted = fit_strategy("shifted", TRAIN)
    with pytest.raises(LagerError, match="shifted learnt scores on 1-5"):
        fitted.predict(simulate(5, scale=Scale.parse("1-9")))
    with pytest.raises(LagerError, match="shifted has no distribution"):
        fitted.predict_proba(TEST)
    with pytest.raises(LagerError, match="leave the option out"):
        registry.lookup("shifted+free")
    with pytest.raises(LagerError, match="did you mean shifted"):
        registry.lookup("shiftd")
    assert why_not("shifted", TRAIN) is None
    save_aggregator(tmp_path / "a.json", fitted)
    content = json.loads((tmp_path / "a.json").read_text()) | {"parameters": {"shift": "far"}}
    (tmp_path / "a.json").write_text(json.dumps(seal(content)))
    with pytest.raises(LagerError, match="shifted needs a finite `shift`"):
        load_aggregator(tmp_path / "a.json")


def test_the_commands_know_it(registered: None, tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "c", 40)
    out = tmp_path / "a.json"
    trained = CliRunner().invoke(app, ["train", str(cache.path), "--strategy", "shifted", "--out", str(out)])
    assert trained.exit_code == 0, trained.stderr
    assert "  shift     " in trained.stdout
    command = [
        "evaluate",
        str(cache.path),
        "--strategy",
        "shifted",
        "--strategy",
        "lager",
        "--resamples",
        "0",
        "--json",
    ]
    by_folds = json.loads(CliRunner().invoke(app, [*command, "--folds", "4"]).stdout)
    from_file = json.loads(CliRunner().invoke(app, [*command, "--aggregator", str(out)]).stdout)
    for content in (by_folds, from_file):
        assert {row["strategy"] for row in content["results"]} == {"shifted", "lager"}
    scores = load_aggregator(out).aggregator.predict(FeatureCache.open(cache.path).readouts())
    assert np.isfinite(scores).all()


def test_unregistered_it_can_be_fitted_and_its_file_is_refused_by_name(tmp_path: Path) -> None:
    fitted = fit_strategy(Shifted(), TRAIN)
    save_aggregator(tmp_path / "a.json", fitted)
    with pytest.raises(LagerError, match="unknown strategy 'shifted'"):
        load_aggregator(tmp_path / "a.json")


def test_every_strategy_of_the_registry_is_named_once_and_found_by_its_name() -> None:
    keys = [strategy.key for strategy in registry.STRATEGIES]
    assert len(set(keys)) == len(keys)
    for strategy in registry.STRATEGIES:
        if strategy.complete:
            assert registry.lookup(strategy.name) == strategy
    assert type(registry.STRATEGIES) is tuple
