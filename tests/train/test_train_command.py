"""`lager train` on caches."""

import json
from dataclasses import replace
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
from support.schemas import check_output
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
    printed = check_output("train", run(cache.path, "--out", out, "--holdout", 0.3, "--json").stdout)
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


def test_a_limit_draws_whole_clusters_by_the_seed(cache: FeatureCache) -> None:
    runs = [train_on_cache(cache, limit=25, seed=seed) for seed in (1, 1, 3)]
    rows = [run.record.training_rows for run in runs]
    assert rows[0] == rows[1] != rows[2]
    cluster = cache.column("cluster")
    for run in runs:
        seen = in_sample(run.record, cache.prompt_keys())
        assert 18 <= seen.sum() <= 20
        assert not set(cluster[seen]) & set(cluster[cache.valid & ~seen])
        assert f"the limit of 25 items: {seen.sum()} in 2 of 6 clusters, drawn whole" in run.notes
    with pytest.raises(LagerError, match=r"limit is 4 items, and no cluster has so few: give 9 or more"):
        train_on_cache(cache, limit=4)


def test_a_fit_is_compared_with_baselines_on_clusters_left_out(tmp_path: Path) -> None:
    good = make_cache(tmp_path / "good", 120, clusters=30)
    found = train_on_cache(good, strategy="ridge", check=True).left_out
    assert (found.n, found.n_clusters, found.notes) == (120, 30, [])
    assert found.spearman > 0.5 > found.length_spearman
    assert (found.mean_spearman, found.mae < found.mean_mae) == (0.0, True)
    with_lengths = make_cache(tmp_path / "length", 120, clusters=30)
    ranked = np.argsort(np.argsort(-with_lengths.mean_scores, kind="stable"))  # n_tokens go up with the row
    longest = with_lengths.items["scores"].gather(np.argsort(ranked))
    by_length = replace(with_lengths, items=with_lengths.items.with_columns(longest.alias("scores")))
    notes = train_on_cache(by_length, strategy="ridge", check=True).left_out.notes
    assert any("no better than counting tokens on clusters left out of the fit, by Spearman" in one for one in notes)
    assert any("better than the mean of each group" in one and "mean absolute error" in one for one in notes)
    assert train_on_cache(good, strategy="length", check=True).left_out is None
    few = make_cache(tmp_path / "few", 40, clusters=5)
    assert train_on_cache(few, strategy="ridge", check=True).left_out is None


def test_the_command_says_what_a_fit_is_not_better_than(cache: FeatureCache, tmp_path: Path) -> None:
    result = run(cache.path, "--out", tmp_path / "a.json", "--strategy", "best-layer", "--json")
    told = check_output("train", result.stdout)["left_out"]
    assert (told["n"], told["n_clusters"]) == (58, 6)
    for note in told["notes"]:
        assert f"note: best-layer is {note}" in result.stderr
    result = run(cache.path, "--out", tmp_path / "b.json", "--no-check", "--json")
    assert check_output("train", result.stdout)["left_out"] is None


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


def test_too_few_items_are_doubted_aloud(tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "c", 60, clusters=60)
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
