"""`lager sweep`: the same rows however they are computed, kept safely, taken up again, summed up honestly."""

import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from joblib import parallel_config
from lager.cli import main
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.evaluate.sweep import sweep as sweep_module
from lager.evaluate.sweep.cells import SweepData, derived_seed, drawn_rows, plan
from lager.evaluate.sweep.engine import joblib_engine
from lager.evaluate.sweep.ranking import learning_curve, ranking
from lager.evaluate.sweep.sweep import run_sweep
from lager.evaluate.sweep.unlabelled_groups import unlabelled_groups
from lager.train.solvers.folds import cluster_folds
from lager.train.solvers.rank_correlation import spearman
from lager.train.strategies.fit import derived, fit_strategy
from lager.train.strategies.registry import strategy_names
from support.caches import make_cache
from support.processes import wait_for
from support.readouts import simulate
from support.schemas import check_output

SMALL = {"strategies": ["lager", "lager-tuned", "prob-tuned", "ridge"], "sizes": [20, 40], "seeds": 2, "folds": 3}


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    return make_cache(folder / "train", 80, seed=2), make_cache(folder / "test", 90, seed=1, invalid=frozenset([5]))


def sweep(caches, out, **options):
    return run_sweep(*caches, out, **{**SMALL, "jobs": 1, "level": "pooled", **options})


def by_key(done):
    return {(row["protocol"], row["strategy"], row["size"], row["draw"]): row for row in done.rows}


def test_a_cell_is_a_fit_on_its_draw_scored_on_the_test_cache(caches, tmp_path):
    rows = by_key(sweep(caches, tmp_path / "s"))
    train, test = (replace(cache.readouts(), group=None) for cache in caches)  # as for pooled agreement
    fitted = fit_strategy("lager-tuned", train.take(drawn_rows(train, 20, 1, seed=42)))
    row = rows["curve", "prob-tuned", 20, 1]
    assert row["spearman"] == pytest.approx(spearman(derived(fitted, "prob-tuned").predict(test), test.human))
    assert (row["n_train"], row["n_test"], row["reason"]) == (20, 89, None)
    fold = cluster_folds(train.cluster, 80, 3, 42)[2]
    ridge = fit_strategy("ridge", train.take(fold.train))
    expected = np.abs(ridge.predict(train.take(fold.test)) - train.human[fold.test]).mean()
    assert rows["folds", "ridge", None, 2]["mae"] == pytest.approx(expected)


def test_there_is_one_row_for_every_cell_and_one_for_what_needs_no_fitting(caches, tmp_path):
    keys = set(by_key(sweep(caches, tmp_path / "s")))
    fitted = ["lager-tuned", "prob-tuned", "ridge"]
    curve = {("curve", name, size, draw) for name in fitted for size in (20, 40) for draw in (0, 1)}
    folds = {("folds", name, None, fold) for name in [*fitted, "lager"] for fold in range(3)}
    assert keys == curve | folds | {("curve", "lager", 0, 0)}


def test_rows_are_the_same_for_any_number_of_workers_and_any_order(caches, tmp_path):
    alone = sweep(caches, tmp_path / "one")
    with parallel_config(backend="loky"):
        together = sweep(caches, tmp_path / "two", jobs=2, strategies=SMALL["strategies"][::-1])
    assert by_key(alone) == by_key(together)
    assert (tmp_path / "one/sweep.csv").read_text() == (tmp_path / "two/sweep.csv").read_text()


def test_a_backend_that_gives_no_results_one_by_one_is_used_in_batches(caches, tmp_path, monkeypatch):
    import joblib

    real = joblib.Parallel

    def without_generators(*, n_jobs, return_as="list"):
        if return_as != "list":
            raise ValueError("Backend X does not support return_as=generator_unordered")
        return real(n_jobs=n_jobs)

    expected = by_key(sweep(caches, tmp_path / "one"))
    monkeypatch.setattr(joblib, "Parallel", without_generators)
    assert by_key(sweep(caches, tmp_path / "two")) == expected


def test_a_restart_computes_what_is_missing_only(caches, tmp_path, monkeypatch):
    expected = by_key(sweep(caches, tmp_path / "whole"))
    first = sweep(caches, tmp_path / "s", sizes=[20], folds=3)
    worked = []
    real = sweep_module.run_work
    monkeypatch.setattr(sweep_module, "run_work", lambda work, data: (worked.append(work), real(work, data))[1])
    second = sweep(caches, tmp_path / "s")
    assert {work.size for work in worked} == {40}
    assert (len(first.rows), second.new) == (len(expected) - 6, 6)
    assert by_key(second) == expected
    assert sweep(caches, tmp_path / "s").new == 0


def test_a_line_cut_off_by_a_crash_is_done_again(caches, tmp_path):
    expected = by_key(sweep(caches, tmp_path / "s"))
    path = tmp_path / "s/cells.jsonl"
    path.write_bytes(path.read_bytes()[:-25])
    again = sweep(caches, tmp_path / "s")
    assert again.new == 1
    assert by_key(again) == expected
    assert len(path.read_text().splitlines()) == len(expected)


def test_a_stop_in_the_middle_keeps_what_was_done(caches, tmp_path):
    def stop(done):
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(caches, tmp_path / "s", progress=stop)
    kept = len((tmp_path / "s/cells.jsonl").read_text().splitlines())
    done = sweep(caches, tmp_path / "s")
    assert 0 < done.new == len(done.rows) - kept


def test_progress_ends_at_one(caches, tmp_path):
    seen = []
    sweep(caches, tmp_path / "s", progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize("by", ["items", "clusters"])
def test_draws_are_nested_and_the_same_for_all_strategies(by):
    train = simulate(200)
    small, large = (drawn_rows(train, size, 3, seed=1, by=by) for size in (30, 101))
    assert set(small) < set(large)
    assert not np.array_equal(small, drawn_rows(train, 30, 4, seed=1, by=by))
    assert derived_seed(1, "a") == derived_seed(1, "a") != derived_seed(1, "b")


def test_labels_are_of_as_many_texts_as_there_can_be():
    """The shape of SummEval: 64 rows of each article."""
    train = simulate(640)
    train = replace(train, cluster=np.array([f"article{row // 64}" for row in range(640)], dtype=object))
    few, many = (Counter(train.cluster[drawn_rows(train, size, 0, seed=1)]) for size in (6, 50))
    assert list(few.values()) == [1] * 6
    assert list(many.values()) == [5] * 10
    order = [set(train.cluster[drawn_rows(train, size, 0, seed=1)]) for size in (1, 2, 3)]
    assert [len(one) for one in order] == [1, 2, 3]
    rows = drawn_rows(train, 50, 0, seed=1)
    assert len(set(rows % 64)) > 30  # in each article others of the 64


def test_whole_clusters_are_as_few_as_hold_the_labels():
    train = simulate(20)
    train = replace(train, cluster=np.array(["a"] * 12 + ["b"] * 5 + ["c", None, None], dtype=object))
    for draw in range(6):
        for size in (2, 10, 20):
            drawn = Counter(train.cluster[drawn_rows(train, size, draw, seed=1, by="clusters")])
            assert all(drawn[name] in {0, n} for name, n in (("a", 12), ("b", 5), ("c", 1)))
            assert sum(drawn.values()) >= size
            assert any(sum(drawn.values()) - n < size for n in drawn.values())


def test_clusters_stand_beside_the_labels(caches, tmp_path, capsys):
    done = sweep(caches, tmp_path / "s", strategies=["ridge"], sizes=[4, 20], folds=0)
    assert {(row["n_train"], row["train_clusters"]) for row in done.rows} == {(4, 4), (20, 6)}
    (line,) = ranking(done.rows)
    assert (line.size, line.labels, line.clusters, line.draws, line.of_draws) == (20, 20, 6, 2, 2)
    done = sweep(caches, tmp_path / "t", strategies=["ridge"], sizes=[20], folds=0, draw="clusters")
    assert {row["train_clusters"] for row in done.rows} == {2}
    assert all(20 <= row["n_train"] <= 28 for row in done.rows)
    with pytest.raises(LagerError, match="another sweep: draw clusters instead of items"):
        sweep(caches, tmp_path / "t", strategies=["ridge"], sizes=[20], folds=0)
    paths = [cache.path for cache in caches]
    assert run(*paths, "--out", tmp_path / "u", "--sizes", 4, "--seeds", 1, "--folds", 0, "--strategy", "ridge") == 0
    assert "clusters" in capsys.readouterr().out


def test_a_cell_that_cannot_be_fitted_says_why_and_counts_as_undefined(caches, tmp_path):
    done = sweep(caches, tmp_path / "s", strategies=["lager-tuned+free", "lager"], sizes=[4, 40], folds=0)
    row = by_key(done)["curve", "lager-tuned+free", 4, 0]
    assert row["spearman"] is None
    assert "4 items for 5 free layer weights" in row["reason"]
    line = next(one for one in ranking(done.rows) if one.strategy == "lager-tuned+free")
    assert line.undefined == 2
    assert [(point.size, point.draws, point.of_draws) for point in learning_curve(done.rows, "lager-tuned+free")] == [
        (40, 2, 2)
    ]


def test_ranking_puts_the_best_first_and_undefined_last():
    def row(name, size, spearman, protocol="curve", *, draw=0, lacking=0):
        figures = {"spearman": spearman, "mae": 0.5, "n_train": size, "train_clusters": 3, "undefined_groups": lacking}
        return {"protocol": protocol, "strategy": name, "size": size, "draw": draw, **figures}

    rows = [row("a", 50, 0.9), row("a", 100, 0.5), row("a", 100, 0.7, draw=1), row("b", 0, 0.65), row("c", 100, None)]
    lines = ranking([*rows, row("b", None, 0.3, "folds")])
    assert [(one.rank, one.strategy) for one in lines] == [(1, "b"), (2, "a"), (None, "c")]
    assert lines[1].spearman == pytest.approx(0.6)
    assert lines[0].folds_spearman == 0.3
    assert [one.strategy for one in ranking([row("x", None, 0.1, "folds"), row("y", None, 0.2, "folds")])] == ["y", "x"]
    some = [row("d", 100, 0.99), row("d", 100, None, draw=1), row("e", 100, 0.98, lacking=1)]
    lines = ranking([*rows, *some])
    assert [(one.rank, one.strategy) for one in lines[2:]] == [(None, "d"), (None, "e"), (None, "c")]
    assert (lines[2].draws, lines[2].of_draws) == (1, 2)


def test_what_cannot_be_done_is_said(caches, tmp_path):
    done = sweep(caches, tmp_path / "s", strategies=["lager", "probe"], sizes=[20, 500])
    assert "hidden states" in done.skipped["probe"]
    assert any("left out sizes 500: the training cache has 80 labels" in note for note in done.notes)
    assert any("prompts of the test cache are in the training cache too" in note for note in done.notes)
    assert any("are the same" in note for note in sweep((caches[0], caches[0]), tmp_path / "t", seeds=0).notes)


def test_groups_without_labels_are_told(caches, tmp_path):
    train, test = caches
    renamed = replace(test, items=test.items.with_columns(pl.col("group").replace("criterion1", "style")))
    options = {"strategies": ["ridge"], "sizes": [6], "seeds": 3, "folds": 0, "jobs": 1}
    notes = run_sweep(train, renamed, tmp_path / "a", **options).notes
    assert any(
        "44 of 89 items of the test cache are in groups without a training label (style)" in one for one in notes
    )
    data = SweepData(train.readouts(), test.readouts(), "group", "converged", 0, 42)
    lacking = sum(len(set(data.train.group[drawn_rows(data.train, 3, draw, seed=42)])) == 1 for draw in range(40))
    assert lacking
    assert unlabelled_groups(data, [3], seeds=40, names=["ridge"]) == [
        f"draws without a label of some group, which gets the mean of the others: {lacking} of 40 of 3 labels"
    ]
    assert unlabelled_groups(data, [3], seeds=40, names=["lager"]) == []
    assert unlabelled_groups(data._replace(level="pooled"), [3], seeds=40, names=["ridge"]) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": [1]}, "sizes and folds of 2 or more"),
        ({"folds": 1}, "sizes and folds of 2 or more"),
        ({"seeds": -1}, "sizes and folds of 2 or more"),
        ({"strategies": ["ridge"], "sizes": [900], "folds": 0}, "has no cells"),
        ({"strategies": ["rigde"]}, "did you mean ridge"),
        ({"level": "system"}, "choose pooled or group"),
        ({"folds": 70}, "use fewer folds"),
        ({"draw": "texts"}, "choose items"),
    ],
)
def test_unusable_options_are_refused(caches, tmp_path, options, message):
    with pytest.raises(LagerError, match=message):
        sweep(caches, tmp_path / "s", **options)


def test_other_data_or_settings_in_the_folder_are_refused_with_what_differs(caches, tmp_path):
    sweep(caches, tmp_path / "s", seeds=0)
    with pytest.raises(LagerError, match="another sweep: seed 42 instead of 43"):
        sweep(caches, tmp_path / "s", seed=43)
    with pytest.raises(LagerError, match=r"another sweep: test .* instead of"):
        sweep(caches[:1] * 2, tmp_path / "s")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("x")
    with pytest.raises(LagerError, match="not empty and holds no sweep"):
        sweep(caches, tmp_path / "mine")
    with pytest.raises(LagerError, match="is a file"):
        sweep(caches, tmp_path / "mine/thesis.tex")
    (tmp_path / "s/cells.jsonl").write_text("{}\n")
    with pytest.raises(LagerError, match="line 1 is no row of a sweep"):
        sweep(caches, tmp_path / "s")


def test_caches_of_two_models_and_caches_without_scores_are_refused(caches, tmp_path):
    other = make_cache(tmp_path / "other", 40, weights="w1")
    with pytest.raises(LagerError, match="sweep caches of the same model"):
        sweep((caches[0], other), tmp_path / "s")
    empty = replace(caches[0], items=caches[0].items.with_columns(pl.Series("scores", [[]] * 80, pl.List(pl.Float64))))
    with pytest.raises(LagerError, match="no valid items with a human score"):
        sweep((empty, caches[1]), tmp_path / "s")


def test_caches_read_with_other_templates_are_named_and_not_continued(caches, tmp_path):
    other = make_cache(tmp_path / "other", 90, seed=1, template="mine", invalid=frozenset([5]))
    assert not any("other ways" in note for note in sweep(caches, tmp_path / "s", seeds=0).notes)
    found = sweep((caches[0], other), tmp_path / "t", seeds=0)
    assert "the training cache and the test cache were read in other ways: template (direct; mine)" in found.notes
    with pytest.raises(LagerError, match=r"another sweep: .*test_reading \w+ instead of \w+"):
        sweep((caches[0], other), tmp_path / "s", seeds=0)


def test_a_folder_is_not_continued_with_other_groups(caches, tmp_path):
    sweep(caches, tmp_path / "s", seeds=0)
    regrouped = caches[1].items.with_columns(pl.lit("all").alias("group"))
    with pytest.raises(LagerError, match="another sweep: test_items"):
        sweep((caches[0], replace(caches[1], items=regrouped)), tmp_path / "s", seeds=0)


def test_the_plan_of_all_strategies_shares_fits():
    work, _ = plan(list(strategy_names()), n_labelled=100, folds=2, sizes=[50], seeds=1)
    tuned = [one.members for one in work if one.fitted == "lager-tuned"]
    assert tuned == [("lager-tuned", "lager-tuned-max", "prob-tuned", "prob-tuned-max")] * 3


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", *map(str, arguments)])
    return stopped.value.code or 0


def test_the_command_writes_tables_and_a_figure_and_prints_the_ranking(caches, tmp_path, capsys):
    options = ["--sizes", "20,40", "--seeds", 2, "--folds", 2, "--jobs", 1]
    names = [part for name in ("lager", "lager-tuned", "ridge") for part in ("--strategy", name)]
    paths = [cache.path for cache in caches]
    assert run(*paths, "--out", tmp_path / "s", *options, *names) == 0
    captured = capsys.readouterr()
    assert "lager-tuned" in captured.out
    assert "written" in captured.err
    table = pl.read_parquet(tmp_path / "s/sweep.parquet")
    assert len(table) == len(pl.read_csv(tmp_path / "s/sweep.csv")) == 1 + 2 * 4 + 3 * 2
    assert (tmp_path / "s/learning_curves.png").read_bytes().startswith(b"\x89PNG")
    assert pl.read_csv(tmp_path / "s/ranking.csv")["rank"].to_list() == [1, 2, 3]
    assert run(*paths, "--out", tmp_path / "s", *options, *names, "--json") == 0
    captured = capsys.readouterr()
    ranking = check_output("sweep", captured.out)["ranking"]
    assert {one["strategy"] for one in ranking} == {"lager", "lager-tuned", "ridge"}
    assert "0 cells computed, 15 were there" in captured.err


def test_the_command_refuses_sizes_that_are_no_numbers(caches, tmp_path, capsys):
    paths = [cache.path for cache in caches]
    assert run(*paths, "--out", tmp_path / "s", "--sizes", "few") == 1
    assert "expected whole numbers with commas" in capsys.readouterr().err


def test_every_cache_opens_anew_with_the_same_rows(caches, tmp_path):
    reopened = tuple(FeatureCache.open(cache.path) for cache in caches)
    assert by_key(sweep(reopened, tmp_path / "a")) == by_key(sweep(caches, tmp_path / "b"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a local cluster says much about ports and versions
def test_a_dask_cluster_gives_the_same_rows(caches, tmp_path):
    distributed = pytest.importorskip("distributed")
    expected = by_key(sweep(caches, tmp_path / "one"))
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
    with cluster, distributed.Client(cluster), parallel_config(backend="dask"):
        assert by_key(sweep(caches, tmp_path / "two", jobs=None)) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_ray_cluster_gives_the_same_rows(caches, tmp_path):
    pytest.importorskip("ray")
    expected = by_key(sweep(caches, tmp_path / "one"))
    with joblib_engine("ray", "local"):
        assert by_key(sweep(caches, tmp_path / "two", jobs=2)) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_command_computes_on_a_dask_cluster_at_its_address(caches, tmp_path, capsys):
    distributed = pytest.importorskip("distributed")
    expected = by_key(sweep(caches, tmp_path / "one", strategies=["ridge"], folds=2, seeds=1))
    small = ["--sizes", "20,40", "--seeds", 1, "--folds", 2, "--strategy", "ridge"]
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as made:
        engine = ["--engine", "dask", made.scheduler_address]
        assert (
            run(*(cache.path for cache in caches), "--out", tmp_path / "two", *small, "--level", "pooled", *engine) == 0
        )
    assert by_key(sweep(caches, tmp_path / "two", strategies=["ridge"], folds=2, seeds=1)) == expected
    assert "4 cells computed" in capsys.readouterr().err


def test_an_engine_that_is_unknown_or_does_not_answer_is_one_line(caches, tmp_path, capsys):
    paths = [cache.path for cache in caches]
    assert run(*paths, "--out", tmp_path / "s", "--engine", "spark", "auto") == 1
    assert "--engine spark: expected one of ray, dask" in capsys.readouterr().err
    assert run(*paths, "--out", tmp_path / "s", "--engine", "dask", "tcp://127.0.0.1:1") == 1
    assert "no cluster answers there (" in capsys.readouterr().err


def test_a_second_sweep_in_the_folder_of_one_that_runs_is_refused(caches, tmp_path):
    refused = []

    def second(_):
        if not refused:
            with pytest.raises(LagerError, match="is being written already"):
                sweep(caches, tmp_path / "s")
            refused.append(True)

    sweep(caches, tmp_path / "s", progress=second)
    assert refused
    assert not (tmp_path / "s" / "sweep.lock").exists()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_workers_end_with_the_sweep_whatever_ends_it(caches, tmp_path, number):
    code = "from lager.cli import main; main()"
    options = ["--strategy", "all", "--sizes", "20,30,40", "--seeds", "50", "--folds", "0", "--jobs", "2"]
    command = [sys.executable, "-c", code, "sweep", caches[0].path, caches[1].path, "--out", tmp_path / "s", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    cells = tmp_path / "s" / "cells.jsonl"
    wait_for(lambda: cells.exists() and cells.read_bytes().count(b"\n") > 30, process)  # both have work by then
    assert len(of_session(process.pid)) > 2
    process.send_signal(number)
    process.wait()
    wait_for(lambda: not of_session(process.pid), seconds=30)


def of_session(leader):
    """Return the processes of a session that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
            found += [path] if int(session) == leader and state != "Z" else []
    return found
