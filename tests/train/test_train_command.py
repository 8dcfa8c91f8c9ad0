"""`lager train` on caches."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.train.aggregator.aggregator import Aggregator
from lager.train.command import train, weights_line
from lager.train.files.aggregator_file import in_sample, load_aggregator
from lager.train.strategies.fit import fit_strategy
from lager.train.strategies.registry import lookup
from lager.train.training_run import train_on_cache
from support.caches import make_cache
from support.readouts import SCALE
from typer.testing import CliRunner

app = typer.Typer()
app.command()(train)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return make_cache(tmp_path_factory.mktemp("caches") / "c", 60, invalid=frozenset({3, 17}))


def run(*arguments: object):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_it_writes_an_aggregator_and_says_what_was_learnt(cache: FeatureCache, tmp_path: Path) -> None:
    result = run(cache.path, "--out", tmp_path / "a.json", "--holdout", 0.25)
    assert result.exit_code == 0
    for part in ("lager-tuned (converged)", "uniform weights", "layers 0 to 4", "held out", "e-score", str(tmp_path)):
        assert part in result.stdout
    assert "2 invalid" in result.stderr
    loaded = load_aggregator(tmp_path / "a.json")
    assert loaded.readout_id == cache.readout_id
    assert loaded.aggregator.training["holdout"] == 0.25


def test_without_holdout_it_fits_every_labelled_valid_row(cache: FeatureCache, tmp_path: Path) -> None:
    run(cache.path, "--out", tmp_path / "a.json")
    loaded = load_aggregator(tmp_path / "a.json")
    assert loaded.aggregator.weights == fit_strategy("lager-tuned", cache.readouts()).weights
    np.testing.assert_array_equal(in_sample(loaded, cache.prompt_keys()), cache.valid)


def test_json_output_is_one_object_with_every_number(cache: FeatureCache, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    printed = json.loads(run(cache.path, "--out", out, "--holdout", 0.3, "--json").stdout)
    assert printed["weights"] == json.loads(out.read_text())["weights"]
    assert printed["n"] + printed["holdout"]["n"] == 58
    assert printed["holdout"]["level"] == "group"
    assert set(printed["holdout"]["spearman"]) == {"lager-tuned", "lager", "e-score"}
    assert printed["loss"] < printed["loss_uniform"]


def test_held_out_clusters_are_not_trained_on(cache: FeatureCache) -> None:
    result = train_on_cache(cache, holdout=0.3, seed=5)
    trained = in_sample(result.record, cache.prompt_keys())
    clusters = cache.column("cluster")
    held_out = cache.valid & ~trained
    assert held_out.sum() == result.held_out.n > 0
    assert not set(clusters[trained]) & set(clusters[held_out])


def test_limit_draws_by_the_seed(cache: FeatureCache) -> None:
    rows = [train_on_cache(cache, limit=20, seed=seed).record.training_rows for seed in (1, 1, 2)]
    assert len(rows[0]) == 20 * 8
    assert rows[0] == rows[1] != rows[2]


def test_scores_may_come_from_a_file(cache: FeatureCache, tmp_path: Path) -> None:
    given = {f"item{i}": 1 + i % 5 for i in range(30)}
    path = tmp_path / "scores.jsonl"
    path.write_text("".join(json.dumps({"id": i, "score": s}) + "\n" for i, s in given.items()))
    result = run(cache.path, "--out", tmp_path / "a.json", "--scores", path)
    assert load_aggregator(tmp_path / "a.json").aggregator.training["n"] == 28
    assert "30 without a human score" in result.stderr


def test_a_strategy_that_needs_no_training_is_saved_without_training_rows(cache: FeatureCache, tmp_path: Path) -> None:
    result = run(cache.path, "--out", tmp_path / "a.json", "--strategy", "lager")
    assert "needs no training" in result.stdout
    assert not load_aggregator(tmp_path / "a.json").training_rows


def test_too_few_items_are_doubted_aloud(cache: FeatureCache, tmp_path: Path) -> None:
    assert "4 items for 5 weights" in run(cache.path, "--out", tmp_path / "a.json", "--limit", 4).stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--strategy", "lager-tund"), "did you mean lager-tuned"),
        (("--preset", "best"), "choose one of converged, paper, release"),
        (("--limit", 0), "limit of 0 items"),
        (("--holdout", 1.5), "holdout of 1.5"),
        (("--strategy", "layer:5"), "layer:0 to layer:4"),
        (("--scores", "nowhere.jsonl"), "nowhere.jsonl"),
    ],
)
def test_unusable_options_are_refused_and_leave_no_file(
    cache: FeatureCache, tmp_path: Path, options: tuple, message: str
) -> None:
    with pytest.raises(LagerError, match=message):
        run(cache.path, "--out", tmp_path / "a.json", *options)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(LagerError, match="exists already"):
        run(tmp_path / "no-cache", "--out", tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "mine"


def test_a_cache_without_human_scores_is_refused(cache: FeatureCache, tmp_path: Path) -> None:
    empty = tmp_path / "scores.jsonl"
    empty.write_text('{"id": "item3", "score": 4}\n')  # item3 is not valid
    with pytest.raises(LagerError, match="no item with a human score"):
        run(cache.path, "--out", tmp_path / "a.json", "--scores", empty)


def test_the_weights_line_has_one_bar_per_entry_and_names_the_largest() -> None:
    line = weights_line(Aggregator(lookup("lager-tuned"), "paper", SCALE, 3, (0.0, 0.5, 1.0, -0.2)))
    assert line == "| ▄█ | layers 0 to 3; largest 2: 1.000, 1: 0.500, 3: -0.200"


def test_help_has_an_example() -> None:
    assert "lager train cache/flask --out flask.json" in run("--help").stdout


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("lager-shrunk", "strength"),
        ("lager-early", "last entry"),
        ("ridge", "penalty"),
        ("ordinal", "penalty"),
        ("isotonic:lager", "items     58"),
        ("lager-tuned+normed+nonneg", "lager-tuned+normed+nonneg (converged)"),
    ],
)
def test_every_strategy_is_trained_saved_and_told(
    cache: FeatureCache, tmp_path: Path, strategy: str, said: str
) -> None:
    result = run(cache.path, "--out", tmp_path / "a.json", "--strategy", strategy)
    assert said in result.stdout
    assert load_aggregator(tmp_path / "a.json").aggregator.strategy == strategy


def test_a_probe_on_a_cache_without_hidden_states_names_the_option(cache: FeatureCache, tmp_path: Path) -> None:
    with pytest.raises(LagerError, match="extract with --features hidden"):
        run(cache.path, "--out", tmp_path / "a.json", "--strategy", "probe")


def test_more_coefficients_than_items_are_doubted_aloud(cache: FeatureCache, tmp_path: Path) -> None:
    options = ("--strategy", "ridge", "--limit", 20)
    assert "20 items for 25 coefficients" in run(cache.path, "--out", tmp_path / "a.json", *options).stderr
