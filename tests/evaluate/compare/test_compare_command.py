"""`lager compare`: several evaluations in one table, and what cannot be put side by side."""

import csv
import json
from functools import partial

import pytest
from lager.data.errors import LagerError
from lager.evaluate.compare.comparison_table import comparison_table
from lager.evaluate.compare.runs import compare_runs
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.evaluation.file_evaluation import evaluate_score_files
from lager.evaluate.report.outputs import write_outputs
from support.caches import make_cache
from support.commands import run_command


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two models on two benchmarks; the second model has one of them only."""
    folder = tmp_path_factory.mktemp("compare")
    train = make_cache(folder / "train", 40, seed=9)
    for name, model, benchmark, seed in (("a", "m1", "flask", 1), ("b", "m1", "help", 2), ("c", "m2", "flask", 1)):
        cache = make_cache(folder / f"cache-{name}", 50, seed=seed, noise=int(name == "c"))
        cache.manifest["recorded"]["model"] = model
        cache.manifest["provenance"]["source"] = {"benchmark": benchmark}
        cache.manifest["fingerprint_inputs"]["condition"] = {"name": "direct"}
        write_outputs(evaluate_cache(cache, train=train, resamples=20), folder / name)
    return folder


@pytest.fixture
def run(capsys):
    return partial(run_command, capsys, "compare")


def of(results, name):
    content = json.loads((results / name / "results.json").read_text())
    return {row["strategy"]: row for row in content["results"]}


def test_models_are_rows_benchmarks_and_conditions_columns_and_the_mean_is_last(results, run):
    code, out, err = run(*(results / name for name in "abc"), "--json")
    assert code == 0, err
    content = json.loads(out)
    assert content["columns"] == ["flask / direct", "help / direct"]
    rows = {(row["model"], row["strategy"]): row for row in content["rows"]}
    assert [key for key in rows] == [
        (m, s) for m in ("m1", "m2") for s in ("vscore", "e-score", "lager", "lager-tuned")
    ]
    values = [of(results, name)["lager"]["spearman"]["estimate"] for name in "ab"]
    assert rows["m1", "lager"]["mean"] == pytest.approx(sum(values) / 2, abs=1e-12)
    assert rows["m1", "lager"]["columns"]["help / direct"]["estimate"] == values[1]
    assert rows["m2", "lager"]["mean"] is None


def test_the_best_of_each_column_is_marked_and_never_an_in_sample_row(results):
    compared = compare_runs([results / name for name in "abc"])
    assert any(row.in_sample for row in compared.rows)
    fair = [row for row in compared.rows if not row.in_sample]
    top = max(row.cells["flask / direct"]["estimate"] for row in fair)
    assert compared.best()["flask / direct"] == top
    errors = compare_runs([results / "a"], metric="mae")
    assert errors.best()["mean"] == min(row.mean for row in errors.rows if not row.in_sample)


def test_files_are_complete_and_never_overwritten(results, run, tmp_path):
    arguments = [*(results / name for name in "abc"), "--out", tmp_path / "all"]
    code, out, err = run(*arguments)
    assert code == 0, err
    names = {"compare.json", "compare.csv", "compare.md", "compare.tex", "report.html", "figures"}
    assert {path.name for path in (tmp_path / "all").iterdir()} == names
    assert "m1" in out
    assert "no mean where a column is missing" in out
    with (tmp_path / "all/compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["column"] for row in rows} == {"flask / direct", "help / direct", "mean"}
    tex = (tmp_path / "all/compare.tex").read_text()
    assert tex.count(r"\midrule") == 2
    page = (tmp_path / "all/report.html").read_text()
    assert 'id="figure-models"' in page
    assert "default-src 'none'" in page
    code, _, err = run(*arguments)
    assert code == 1
    assert "exists already" in err


def test_levels_strategies_and_metrics_can_be_chosen(results, run):
    _, out, _ = run(results / "a", "--level", "pooled", "--strategy", "prob", "--metric", "qwk", "--json")
    content = json.loads(out)
    (row,) = content["rows"]
    assert row["strategy"] == "prob"
    assert row["mean"] == of(results, "a")["prob"]["pooled"]["qwk"]["estimate"]


def test_templates_of_one_model_are_rows_of_their_own(results, tmp_path):
    for name, template in (("x", "aaa"), ("y", "bbb")):
        content = json.loads((results / "a/results.json").read_text())
        content["about"]["template"] = template
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(content))
    compared = compare_runs([tmp_path / "x", tmp_path / "y"])
    assert {row.model for row in compared.rows} == {"m1, template aaa", "m1, template bbb"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "nowhere"], "holds no results.json"),
        (["a", "a"], "both evaluate m1"),
        (["a", "--metric", "spearmen"], "did you mean spearman"),
        (["a", "--level", "system"], "has figures of level group and pooled, not of system"),
        (["a", "--level", "each"], "unknown level 'each'"),
        (["a", "--strategy", "probe"], "no evaluation has any of the strategies probe"),
        (["a", "pooled"], "are of levels group, pooled: compare them with --level pooled"),
        (["old"], "is not in the format of this version"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_exit_1(results, run, monkeypatch, arguments, message):
    monkeypatch.chdir(results)
    for name, change in (("pooled", {"level": "pooled"}), ("old", {"about": None})):
        (results / name).mkdir(exist_ok=True)
        content = json.loads((results / "b/results.json").read_text()) | change
        (results / name / "results.json").write_text(json.dumps(content))
    code, out, err = run(*arguments)
    assert code == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


def copied(results, tmp_path, name, source="a", **about):
    """The results of an evaluation in a folder of its own, with other facts."""
    content = json.loads((results / source / "results.json").read_text())
    content["about"] |= about
    content["cache"] |= {"readout_id": about.get("readout_id", content["cache"]["readout_id"])}
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / name / "results.json").write_text(json.dumps(content))
    return tmp_path / name


def models(compared):
    return list(dict.fromkeys(row.model for row in compared.rows))


def test_two_models_in_folders_of_one_name_are_rows_of_their_own(results, tmp_path):
    other = copied(results, tmp_path, "x", "b", readout_id="f" * 64)
    own = json.loads((results / "a/results.json").read_text())["cache"]["readout_id"]
    assert models(compare_runs([results / "a", other])) == [f"m1, read-outs {own[:8]}", "m1, read-outs ffffffff"]
    half = copied(results, tmp_path, "y", "b", readout_id="f" * 64, dtype="float16")
    full = copied(results, tmp_path, "z", "a", dtype="float32")
    assert models(compare_runs([full, half])) == ["m1, float32", "m1, float16"]


def test_score_files_in_folders_of_one_name_are_rows_of_their_own(tmp_path):
    for place, score in (("x", "2"), ("y", "1")):
        folder = tmp_path / place
        folder.mkdir()
        (folder / f"{place}.csv").write_text(f"id,score,judge\na,1,{score}\nb,2,3\nc,4,5\n")
        judges = [f"{folder / place}.csv:judge"]
        write_outputs(evaluate_score_files(folder / f"{place}.csv", judges, resamples=0), folder / "results")
    folders = [tmp_path / place / "results" for place in "xy"]
    assert models(compare_runs(folders)) == [str(folder) for folder in folders]


def test_evaluations_of_other_items_cannot_share_a_column(results, run, tmp_path):
    other = make_cache(tmp_path / "cache", 50, seed=3)
    other.manifest["recorded"]["model"] = "m3"
    other.manifest["provenance"]["source"] = {"benchmark": "flask"}
    other.manifest["fingerprint_inputs"]["condition"] = {"name": "direct"}
    write_outputs(evaluate_cache(other, ["lager"], resamples=0), tmp_path / "d")
    code, _, err = run(results / "a", tmp_path / "d")
    assert code == 1
    hashes = [
        json.loads((folder / "results.json").read_text())["about"]["evaluated"]["scores"]
        for folder in (results / "a", tmp_path / "d")
    ]
    assert f"are of other items or human scores (50 items, {hashes[0]}; 50 items, {hashes[1]})" in err


def test_groups_are_compared_where_figures_are_means_over_them(results, tmp_path):
    evaluated = json.loads((results / "c/results.json").read_text())["about"]["evaluated"]
    other = copied(results, tmp_path, "x", "c", evaluated={**evaluated, "groups": "0" * 16})
    with pytest.raises(LagerError, match=r"are of other groups \(50 items, .*; 50 items, 0000000000000000\)"):
        compare_runs([results / "a", other])
    assert len(models(compare_runs([results / "a", other], level="pooled"))) == 2


def test_scales_and_thresholds_are_compared_where_figures_hang_on_them(results, tmp_path):
    other = copied(results, tmp_path, "x", "c", scale="0-9", threshold=0.5)
    with pytest.raises(LagerError, match=r"another scale \(1-5; 0-9\)"):
        compare_runs([results / "a", other], metric="mae")
    with pytest.raises(LagerError, match=r"another threshold \(0.75; 0.5\)"):
        compare_runs([results / "a", other], metric="auroc")
    assert "flask / direct: other scales: 1-5 in m1, 0-9 in m2" in compare_runs([results / "a", other]).notes


def test_templates_that_differ_inside_a_row_are_named(results, tmp_path):
    other = copied(results, tmp_path, "x", "b", template="bbb")
    first = copied(results, tmp_path, "y", "a", template="aaa")
    notes = compare_runs([first, other]).notes
    assert "m1: other templates: aaa in flask / direct, bbb in help / direct" in notes
    assert compare_runs([results / "a", results / "c"]).notes == ()


def test_what_was_skipped_in_one_column_has_its_reason_there(results, tmp_path):
    content = json.loads((results / "b/results.json").read_text())
    content["results"] = [row for row in content["results"] if row["strategy"] != "lager"]
    content["skipped"].append({"strategy": "lager", "reason": "too few items"})
    (tmp_path / "x").mkdir()
    (tmp_path / "x/results.json").write_text(json.dumps(content))
    (row,) = compare_runs([results / "a", tmp_path / "x"], strategies=["lager"]).rows
    assert row.cells["help / direct"] == {"estimate": None, "reason": "skipped: too few items"}
    assert row.mean is None


def test_a_figure_over_fewer_groups_is_not_the_best(results, tmp_path):
    content = json.loads((results / "a/results.json").read_text())
    row = next(row for row in content["results"] if row["strategy"] == "lager")
    row["spearman"] |= {"estimate": 0.999, "groups": 1, "undefined_groups": 1}
    row["groups"][0]["spearman"]["estimate"] = None
    (tmp_path / "x").mkdir()
    (tmp_path / "x/results.json").write_text(json.dumps(content))
    compared = compare_runs([tmp_path / "x"])
    assert compared.best()["flask / direct"] < 0.999
    table = comparison_table(compared)
    assert any("m1: lager, 1 in flask / direct" in note for note in table.notes)


def test_figures_over_different_groups_are_none_of_them_the_best(results, tmp_path):
    """Each lacks one group, and not the same one: counts alone would say that they are alike."""
    content = json.loads((results / "a/results.json").read_text())
    for place, row in enumerate(content["results"]):
        row["spearman"] |= {"groups": 1, "undefined_groups": 1}
        row["groups"][place % 2]["spearman"]["estimate"] = None
    (tmp_path / "x").mkdir()
    (tmp_path / "x/results.json").write_text(json.dumps(content))
    assert compare_runs([tmp_path / "x"]).best() == {}
