"""`lager evaluate` on caches: table, JSON, files, sources of fitted strategies, and bad input."""

import csv
import errno
import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.files.out_folder import UNFINISHED
from lager.data.files.writing import replacing
from lager.data.run.cache_writer import CacheWriter
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.report import drawing
from lager.evaluate.sweep.sweep import run_sweep
from lager.train.files.aggregator_file import save_aggregator
from lager.train.solvers.folds import cluster_folds
from lager.train.strategies.fit import derived, fit_strategy
from lager.train.strategies.registry import ABLATION, needs_fitting, strategy_names
from lager.train.training_run import train_on_cache
from support.caches import identity, make_cache, make_items, make_shard, write
from support.commands import run_command


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """A cache to evaluate, with an invalid row, and one to train on; their prompts differ in the last 40 items."""
    folder = tmp_path_factory.mktemp("caches")
    make_cache(folder / "test", 120, seed=1, invalid=frozenset([5]))
    make_cache(folder / "train", 80, seed=2)
    return folder


@pytest.fixture
def run(capsys):
    return partial(run_command, capsys, "evaluate")


@pytest.fixture
def run_json(run):
    def call(*arguments):
        code, out, err = run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    return call


def save_trained(cache, path, **options):
    save_aggregator(path, train_on_cache(FeatureCache.open(cache), **options).record)


def by_name(content):
    return {row["strategy"]: row for row in content["results"]}


def test_json_is_the_promised_object_and_nothing_else(caches, run_json):
    content = run_json(caches / "test", "--train", caches / "train", "--resamples", "40")
    assert (content["n"], content["level"]) == (119, "group")
    assert content["coverage"] == pytest.approx(119 / 120)
    assert [row["strategy"] for row in content["results"]] == [name for name in strategy_names() if name != "probe"]
    for row in content["results"]:
        assert (row["n"], row["coverage"]) == (119, content["coverage"])
        for metric in ("spearman", "pearson", "kendall", "mae"):
            assert {"estimate", "low", "high"} <= set(row[metric])
            assert row[metric]["estimate"] is not None or row[metric]["reason"]
            assert {"estimate", "low", "high"} <= set(row["pooled"][metric])
        assert [group["group"] for group in row["groups"]] == ["criterion0", "criterion1"]
    assert [(row["strategy"], "hidden states" in row["reason"]) for row in content["skipped"]] == [("probe", True)]


def test_baselines_have_no_made_up_figures(caches, run_json):
    rows = by_name(run_json(caches / "test", "--train", caches / "train", "--resamples", "0"))
    assert rows["group-mean"]["spearman"]["estimate"] is None
    assert rows["group-mean"]["spearman"]["reason"] == "constant scores in all 2 groups"
    assert rows["length"]["mae"]["reason"] == "not on the human score scale"
    assert rows["lager"]["spearman"]["low"] is None


def test_what_needs_fitting_is_skipped_with_the_reason_when_there_is_no_source(caches, run_json):
    content = run_json(caches / "test", "--resamples", "0")
    skipped = {row["strategy"]: row["reason"] for row in content["skipped"]}
    assert set(skipped) == {name for name in strategy_names() if needs_fitting(name)}
    assert "--train CACHE, --aggregator FILE or --folds N" in skipped["lager-tuned"]
    assert set(by_name(content)) == set(strategy_names()) - set(skipped)


def test_folds_score_each_item_by_parameters_fitted_without_its_cluster(caches, run_json):
    content = run_json(caches / "test", "--folds", "3", "--seed", "7", "--resamples", "0")
    readouts = FeatureCache.open(caches / "test").readouts()
    expected = np.full(len(readouts), np.nan)
    for fold in cluster_folds(readouts.cluster, len(readouts), 3, 7):
        assert not set(readouts.cluster[fold.train]) & set(readouts.cluster[fold.test])
        tuned = fit_strategy("lager-tuned", readouts.take(fold.train), seed=7)
        expected[fold.test] = derived(tuned, "prob-tuned").predict(readouts.take(fold.test))
    rows = by_name(content)
    assert rows["prob-tuned"]["pooled"]["mae"]["estimate"] == pytest.approx(
        np.abs(expected - readouts.human).mean(), abs=1e-12
    )
    assert rows["prob-tuned"]["source"] == "folds"
    assert rows["prob-tuned"]["in_sample"] == 0
    assert rows["group-mean"]["spearman"]["reason"] == "constant scores in all 2 groups"


def test_an_aggregator_gives_the_four_tuned_strategies(caches, run_json, tmp_path):
    save_trained(caches / "train", tmp_path / "agg.json")
    rows = by_name(run_json(caches / "test", "--aggregator", tmp_path / "agg.json", "--resamples", "0"))
    trained = by_name(run_json(caches / "test", "--train", caches / "train", "--resamples", "0"))
    for name in ABLATION:
        assert rows[name]["spearman"] == trained[name]["spearman"]
    assert rows["prob-tuned-max"]["source"] == "aggregator"


def test_two_aggregators_of_one_strategy_are_told_apart_by_their_files(caches, run_json, tmp_path):
    for name, preset in (("a", "converged"), ("b", "release")):
        save_trained(caches / "train", tmp_path / f"{name}.json", preset=preset)
    files = [part for name in "ab" for part in ("--aggregator", tmp_path / f"{name}.json")]
    content = run_json(caches / "test", *files, "--strategy", "lager-tuned", "--strategy", "lager", "--resamples", "0")
    assert set(by_name(content)) == {"lager-tuned@a", "lager-tuned@b", "lager"}


def test_rows_seen_in_training_are_counted_and_named(caches, run, run_json):
    rows = by_name(run_json(caches / "test", "--train", caches / "train", "--resamples", "0"))
    assert rows["lager-tuned"]["in_sample"] == 79
    assert rows["lager"]["in_sample"] == 0
    same = by_name(run_json(caches / "test", "--train", caches / "test", "--resamples", "0"))
    assert same["best-layer"]["in_sample"] == 119
    _, table, _ = run(caches / "test", "--train", caches / "test", "--resamples", "0")
    assert "in-sample: 119 of the evaluated rows" in table


def test_table_says_what_was_compared_and_fits_a_pipe(caches, run):
    code, out, _ = run(caches / "test", "--train", caches / "train", "--resamples", "40")
    assert code == 0
    assert "mean over groups" in out
    assert "119 of 120 labelled items scored (99.2%), 2 groups, 6 clusters" in out
    assert "95 % jackknife t over clusters" in out
    assert max(map(len, out.splitlines())) <= 120
    for name in strategy_names():
        assert f" {name} " in out or name == "probe"
    assert "…" not in out
    assert "Spearman, Pearson, Kendall of group-mean: none, constant scores in all 2 groups" in out
    assert "6 clusters only" in out


def test_out_holds_json_csv_and_a_figure(caches, run, tmp_path):
    code, out, err = run(caches / "test", "--out", tmp_path / "results", "--resamples", "20", "--json")
    assert code == 0
    content = json.loads((tmp_path / "results/results.json").read_text())
    assert content["results"] == json.loads(out)["results"]
    assert len(content["layers"]["values"]) == len(content["depth"]["values"]) == 5
    with (tmp_path / "results/results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [
        r for r in rows if (r["strategy"], r["level"], r["group"], r["metric"]) == ("lager", "group", "", "spearman")
    ]
    assert len(found) == 1
    assert float(found[0]["estimate"]) == by_name(content)["lager"]["spearman"]["estimate"]
    assert {row["group"] for row in rows} == {"", "criterion0", "criterion1"}
    assert (tmp_path / "results/figures/layers.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "results/figures/layers.svg").exists()
    assert "report.html" in err


def test_last_point_of_the_layer_curve_is_the_strategy_of_that_layer(caches, run, tmp_path):
    run(caches / "test", "--strategy", "layer:4", "--out", tmp_path / "r", "--resamples", "0")
    content = json.loads((tmp_path / "r/results.json").read_text())
    assert content["layers"]["values"][4] == content["results"][0]["spearman"]["estimate"]


def test_existing_results_are_refused_before_anything_else_and_kept(caches, run, tmp_path):
    (tmp_path / "results.csv").write_text("mine")
    code, _, err = run(caches / "nowhere", "--out", tmp_path)
    assert code == 1
    assert "results.csv exists already" in err
    assert (tmp_path / "results.csv").read_text() == "mine"


def test_a_report_that_cannot_be_written_is_an_error_and_the_folder_is_filled_anew(caches, run, tmp_path, monkeypatch):
    arguments = (caches / "test", "--strategy", "lager", "--out", tmp_path / "r", "--resamples", "0")
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "save_png", lambda drawn, path: replacing_into_nowhere(path))
        code, _, err = run(*arguments)
    assert code == 1
    assert "cannot write" in err
    assert (tmp_path / "r/results.json").exists()
    assert (tmp_path / "r" / UNFINISHED).exists()
    assert run(*arguments)[0] == 0
    assert not (tmp_path / "r" / UNFINISHED).exists()


def replacing_into_nowhere(path):
    with replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_without_matplotlib_the_rest_is_written_and_the_extra_named(caches, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = run(caches / "test", "--strategy", "lager", "--out", tmp_path / "r", "--resamples", "0")
    assert code == 0
    assert "lager[plots]" in err
    assert (tmp_path / "r/results.json").exists()
    assert not (tmp_path / "r/report.html").exists()


def test_scores_from_a_file_replace_those_of_the_cache(caches, run_json, tmp_path):
    (tmp_path / "scores.csv").write_text("id,score\n" + "".join(f"item{i},{1 + i % 5}\n" for i in range(10)))
    content = run_json(caches / "test", "--scores", tmp_path / "scores.csv", "--strategy", "lager", "--resamples", "0")
    assert content["labelled"] == 10
    assert content["n"] == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategy", "lagr"], "did you mean lager"),
        (["--strategy", "layer:99"], "there is no layer:99"),
        (["--level", "item"], "unknown level 'item'"),
        (["--folds", "5", "--train", "x"], "give one of them"),
        (["--folds", "1"], "got 1 folds"),
        (["--strategy", "lager-tuned"], "no strategy left to evaluate"),
        (["--resamples", "-5"], "-5 resamples"),
        (["--preset", "best"], "best"),
    ],
)
def test_bad_options_are_one_line_and_exit_1(caches, run, arguments, message):
    arguments = [caches / "train" if one == "x" else one for one in arguments]
    code, out, err = run(caches / "test", *arguments)
    assert code == 1
    assert message in err
    assert err.strip().startswith("error:")
    assert len(err.strip().splitlines()) == 1
    assert out == ""


def test_an_aggregator_of_another_model_is_refused_and_can_be_forced(caches, run, run_json, tmp_path):
    make_cache(tmp_path / "other", 60, weights="w1")
    save_trained(tmp_path / "other", tmp_path / "agg.json")
    code, _, err = run(caches / "test", "--aggregator", tmp_path / "agg.json")
    assert code == 1
    assert "weights differ" in err
    content = run_json(caches / "test", "--aggregator", tmp_path / "agg.json", "--force", "--resamples", "0")
    assert any("forced" in note for note in content["notes"])


def test_a_cache_in_which_no_labelled_row_is_valid_is_refused(run, tmp_path):
    make_cache(tmp_path / "c", 4, invalid=frozenset(range(4)))
    code, _, err = run(tmp_path / "c")
    assert code == 1
    assert "none of the 4 items with a human score" in err


def test_the_command_needs_neither_torch_nor_transformers(caches):
    script = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from lager.evaluate.command import evaluate\n"
        "from pathlib import Path\n"
        f"evaluate(Path({str(caches / 'test')!r}), train=Path({str(caches / 'train')!r}), resamples=10)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "lager-tuned" in done.stdout
    assert done.stderr == ""


def test_folds_use_the_labelled_items_only(caches, run_json, tmp_path):
    (tmp_path / "scores.csv").write_text("id,score\n" + "".join(f"item{i},{1 + i % 4}\n" for i in range(0, 120, 2)))
    options = ("--scores", tmp_path / "scores.csv", "--folds", "3", "--strategy", "group-mean", "--resamples", "0")
    content = run_json(caches / "test", *options, "--level", "pooled")
    assert (content["n"], content["labelled"]) == (60, 60)
    assert by_name(content)["group-mean"]["mae"]["estimate"] < 2


def flat(path, n):
    """A cache whose read-outs say nothing, so that no number of layers ranks."""
    items = make_items(n)
    shard = make_shard(items)
    same = np.zeros_like(shard.logits)
    shard = replace(shard, logits=same, logits_normed=same)
    writer = CacheWriter.start(path, identity=identity(), item_id=items.item_id, shard_size=n)
    write(writer, 0, shard, items)
    return writer.finalize()


def test_a_strategy_that_cannot_be_fitted_is_skipped_with_the_reason_and_the_rest_stays(run_json, run, tmp_path):
    flat(tmp_path / "flat", 40)
    names = [word for name in ("length", "lager-early", "lager-tuned") for word in ("--strategy", name)]
    out = run_json(tmp_path / "flat", "--folds", 2, "--resamples", 0, *names)
    assert [row["strategy"] for row in out["results"]] == ["length", "lager-tuned"]
    (skipped,) = out["skipped"]
    assert skipped["strategy"] == "lager-early"
    assert skipped["reason"].startswith("without fold 1 of 2: lager-early: no number of layers ranks")
    make_cache(tmp_path / "other", 30, first=500)
    out = run_json(tmp_path / "other", "--train", tmp_path / "flat", "--resamples", 0, *names)
    assert [row["strategy"] for row in out["skipped"]] == ["lager-early"]
    code, _, err = run(tmp_path / "flat", "--folds", 2, "--strategy", "lager-early")
    assert code == 1
    assert "no strategy left to evaluate: lager-early: without fold 1 of 2: lager-early: no number of layers" in err


def test_a_training_cache_without_scores_is_refused_as_a_whole(caches, run, tmp_path):
    empty = make_cache(tmp_path / "empty", 20, invalid=frozenset(range(20)))
    code, _, err = run(caches / "test", "--train", empty.path)
    assert code == 1
    assert "has no valid item with a human score to train on" in err


def scores_of(folder):
    with (folder / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_scores_of_every_item_are_written_with_fold_and_human_score(caches, run, tmp_path):
    names = [word for name in ("lager", "ridge") for word in ("--strategy", name)]
    code, _, err = run(caches / "test", "--folds", 3, "--resamples", 0, "--out", tmp_path / "r", *names)
    assert code == 0, err
    rows = scores_of(tmp_path / "r")
    cache = FeatureCache.open(caches / "test")
    assert list(rows[0]) == [
        "id", "prompt_sha256", "group", "cluster", "system", "human", "fold", "in_sample", "lager", "ridge"
    ]  # fmt: skip
    assert [row["id"] for row in rows] == list(cache.item_id)
    np.testing.assert_allclose([float(row["human"]) for row in rows], cache.mean_scores)
    assert rows[5]["fold"] == rows[5]["ridge"] == ""  # not valid
    readouts = cache.readouts()
    valid = np.flatnonzero(cache.valid)
    for number, split in enumerate(cluster_folds(readouts.cluster, len(readouts), 3, 42), start=1):
        assert {rows[row]["fold"] for row in valid[split.test]} == {str(number)}
        expected = fit_strategy("ridge", readouts.take(split.train)).predict(readouts.take(split.test))
        np.testing.assert_allclose([float(rows[row]["ridge"]) for row in valid[split.test]], expected)


def test_scores_name_the_strategies_that_were_fitted_to_an_item(caches, run, tmp_path):
    names = [word for name in ("lager", "ridge", "lager-tuned") for word in ("--strategy", name)]
    options = ["--train", caches / "train", "--resamples", 0, "--out", tmp_path / "r"]
    code, _, err = run(caches / "test", *options, *names)
    assert code == 0, err
    rows = scores_of(tmp_path / "r")
    assert "fold" not in rows[0]
    assert [row["in_sample"] for row in rows] == ["ridge; lager-tuned"] * 80 + [""] * 40


def test_scores_that_were_written_are_joined_to_the_same_prompts_only(caches, run, run_json, tmp_path):
    code, _, err = run(caches / "test", "--strategy", "lager", "--resamples", 0, "--out", tmp_path / "r")
    assert code == 0, err
    judge = ["--external", f"{tmp_path / 'r/scores.csv'}:lager", "--resamples", 0, "--strategy", "lager"]
    first, second = run_json(caches / "test", *judge)["results"]
    assert second["strategy"] == "scores:lager"
    assert second["spearman"]["estimate"] == pytest.approx(first["spearman"]["estimate"], abs=1e-12)
    make_cache(tmp_path / "other", 120, clusters=7)
    code, _, err = run(tmp_path / "other", *judge)
    assert code == 1
    assert "rows are of other items than those of their ids: 'item6' has cluster 'text0' there and 'text6' here" in err


@pytest.mark.slow
def test_learning_curves_of_another_cache_are_named(caches, run_json, tmp_path):
    sizes = {"strategies": ["ridge"], "sizes": [20], "seeds": 2, "folds": 0, "jobs": 1, "level": "pooled"}
    test, train = FeatureCache.open(caches / "test"), FeatureCache.open(caches / "train")
    run_sweep(train, train, tmp_path / "s", **sizes)
    options = ["--strategy", "lager", "--resamples", 0, "--sweep", tmp_path / "s"]
    notes = run_json(caches / "test", *options, "--out", tmp_path / "a")["notes"]
    where = f"content {train.content_hash[:12]} in {tmp_path / 's'}, {test.content_hash[:12]} here"
    assert f"the learning curves are of another test cache: {where}" in notes
    assert "the learning curves are of level pooled, the table is of group" in notes
    notes = run_json(caches / "train", *options, "--out", tmp_path / "b", "--level", "pooled")["notes"]
    assert not any("learning curves" in note for note in notes)


def test_groups_that_a_baseline_has_not_seen_are_named(caches, run_json, tmp_path):
    train = FeatureCache.open(caches / "train")
    other = replace(train, items=train.items.with_columns(pl.lit("style").alias("group")))
    notes = evaluate_cache(FeatureCache.open(caches / "test"), ["group-mean", "lager"], train=other, resamples=0).notes
    assert any(
        note.startswith("group-mean: the aggregator has an intercept or mean for each group (style): ")
        and note.endswith(" items are in none of these (they have criterion0, criterion1), and get the mean of all")
        for note in notes
    )
    few = ["--train", train.path, "--strategy", "group-mean", "--strategy", "lager", "--resamples", 0]
    assert not any("in none of these" in note for note in run_json(caches / "test", *few)["notes"])
