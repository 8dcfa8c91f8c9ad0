"""`lager alt-test` on files and on caches: what it prints, writes and refuses, and how it ends."""

import json
from functools import partial

import numpy as np
import polars as pl
import pytest
from lager.data.items.raters import rater_scores
from lager.evaluate.alt_test.judges import _nearest_labels
from lager.evaluate.decisions.judged_items import JudgedItems
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.report.beside_raters import beside_raters
from support.caches import make_cache
from support.commands import run_command

NAMES = ("anna", "ben", "chloe")


@pytest.fixture
def run(capsys):
    return partial(run_command, capsys, "alt-test")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Ninety items by three raters in every form, a judge as good as these, and one that guesses."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 6, size=90)
    table = np.clip(truth[:, None] + rng.integers(-1, 2, size=(90, 3)), 1, 5)
    about = {"group": np.array(["x", "y"])[np.arange(90) % 2], "cluster": np.arange(90) // 3}
    ids = [f"i{n}" for n in range(90)]
    pl.DataFrame({"id": ids, **dict(zip(NAMES, table.T, strict=True)), **about}).write_csv(folder / "wide.csv")
    long = [{"id": i, "rater": name, "score": int(s)} for i, row in zip(ids, table, strict=True)
            for name, s in zip(NAMES, row, strict=True)]  # fmt: skip
    pl.DataFrame(long).write_csv(folder / "long.csv")
    (folder / "lists.jsonl").write_text(
        "\n".join(json.dumps({"id": i, "score": row}) for i, row in zip(ids, table.tolist(), strict=True))
    )
    judges = {"good": truth + 0.1, "guess": rng.integers(1, 6, size=90)}
    pl.DataFrame({"id": ids, **judges}).write_csv(folder / "judges.csv")
    return folder


def wide(files, *judges):
    external = [part for judge in judges or ("good",) for part in ("--external", f"{files}/judges.csv:{judge}")]
    return ["--scores", f"{files}/wide.csv", "--raters", ",".join(NAMES), *external, "--epsilon", "0.15"]


def test_it_says_whether_each_judge_may_replace_a_rater(run, files):
    status, out, err = run(*wide(files, "good", "guess"))
    assert status == 0
    assert "epsilon 0.15, neg-rmse, 3 raters tested, CR2 t over clusters" in out
    table = out.partition("Agreement by human uncertainty")[0].splitlines()
    rows = {line.split()[0]: line.split() for line in table if line.strip().startswith(("good", "guess"))}
    assert (rows["good"][2], rows["guess"][2]) == ("yes", "no")
    assert "Agreement by human uncertainty" in out
    assert err.count("note") == err.count("of its scores lie outside the range of the raters' scores, 1 to 5") == 1


def test_json_holds_every_rater_and_the_files_do_too(run, files, tmp_path):
    status, out, _ = run(*wide(files), "--json", "--out", tmp_path / "out")
    found = json.loads(out)
    assert (status, found["raters"], found["verdict"]) == (0, list(NAMES), None)
    test = found["judges"][0]["alt_test"]
    assert [one["rater"] for one in test["raters"]] == list(NAMES)
    assert (test["clustered"], test["raters"][0]["n_clusters"]) == (True, 30)
    assert found["judges"][0]["one_more_rater"]["level"] == "group"
    assert sum(one["n"] for one in found["judges"][0]["by_uncertainty"]) == 90
    assert json.loads((tmp_path / "out" / "alt-test.json").read_text()) == found
    assert pl.read_csv(tmp_path / "out" / "raters.csv")["rater"].to_list() == list(NAMES)
    assert set(pl.read_csv(tmp_path / "out" / "uncertainty.csv")["figure"]) == {"judge", "rater", "difference"}
    assert (tmp_path / "out" / "alt-test.md").read_text().count("| judge |") == 2


@pytest.mark.parametrize(("judges", "status", "verdict"), [(("good",), 0, "PASS"), (("good", "guess"), 3, "FAIL")])
def test_it_ends_by_the_worst_verdict_at_the_margin(run, files, judges, status, verdict):
    ended, out, _ = run(*wide(files, *judges), "--margin", "0.1", "--json")
    assert (ended, json.loads(out)["verdict"]) == (status, verdict)


def test_a_verdict_that_the_items_do_not_carry_is_inconclusive(run, files, tmp_path):
    table = pl.read_csv(files / "wide.csv")
    pl.DataFrame({"id": table["id"], "ben2": table["ben"]}).write_csv(tmp_path / "ben.csv")
    external = ["--external", f"{tmp_path}/ben.csv:ben2", "--margin", "0.0001"]
    status, out, _ = run("--scores", files / "wide.csv", "--raters", ",".join(NAMES), "--epsilon", "0.1", *external)
    assert status in (0, 4)
    assert "INCONCLUSIVE" in out or "PASS" in out


def test_long_files_say_the_same_as_columns(run, files):
    def figures(*scores):
        _, out, _ = run(*scores, "--external", f"{files}/judges.csv:good", "--epsilon", "0.15", "--json")
        return json.loads(out)["judges"][0]["alt_test"]["raters"]

    plain = figures("--scores", files / "wide.csv", "--raters", ",".join(NAMES), "--ignore-clusters")
    assert figures("--scores", files / "long.csv") == plain


def test_places_are_nobody_until_the_user_says_so(run, files):
    options = ["--scores", files / "lists.jsonl", "--external", f"{files}/judges.csv:good", "--epsilon", "0.15"]
    status, _, err = run(*options)
    assert status == 1
    assert "--places-are-raters" in err
    assert "id, rater, score" in err
    status, out, err = run(*options, "--places-are-raters", "--json")
    found = json.loads(out)
    assert (status, found["raters"], found["places_are_raters"]) == (0, ["#1", "#2", "#3"], True)
    assert "places in the lists of scores were taken for raters" in err


def test_lists_of_unequal_length_shift_raters_and_are_refused(run, files, tmp_path):
    lines = (files / "lists.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    options = ["--external", f"{files}/judges.csv:good", "--epsilon", "0.15", "--places-are-raters"]
    for missing, status in ((first["score"][1:], 1), ([None, *first["score"][1:]], 0)):
        row = json.dumps({"id": first["id"], "score": missing})
        (tmp_path / "lists.jsonl").write_text("\n".join([row, *lines[1:]]))
        ended, _, err = run("--scores", tmp_path / "lists.jsonl", *options)
        assert ended == status
        assert ("the lists hold 2 to 3 scores" in err and "give null" in err) == bool(status)


def test_a_judge_in_its_own_place_is_refused_and_one_that_repeats_raters_is_told(run, files, tmp_path):
    status, _, err = run(*wide(files), "--external", f"{files}/wide.csv:ben")
    assert status == 1
    assert "the column is one of --raters" in err
    table = pl.read_csv(files / "wide.csv")
    mean = table.select(pl.mean_horizontal(*NAMES)).to_series()
    pl.DataFrame({"id": table["id"], "copy": table["ben"], "mean": mean}).write_csv(tmp_path / "j.csv")
    _, _, err = run(*wide(files)[:4], "--epsilon", "0.1", "--external", f"{tmp_path}/j.csv:copy", "--external",
                    f"{tmp_path}/j.csv:mean")  # fmt: skip
    assert "copy: it has the very scores of rater ben on all 90 items" in err
    assert "mean: it is the mean of the raters on all 90 items" in err


def test_a_judge_on_another_scale_and_one_without_a_verdict_are_told(run, files, tmp_path):
    table = pl.read_csv(files / "wide.csv")
    other = {"percent": table["anna"] * 20, "same": [3] * 90}
    pl.DataFrame({"id": table["id"], **other}).write_csv(tmp_path / "j.csv")
    external = [part for name in other for part in ("--external", f"{tmp_path}/j.csv:{name}")]
    _, _, err = run(*wide(files)[:4], "--epsilon", "0.1", "--margin", "0.05", *external)
    assert "percent: 100.0% of its scores lie outside" in err
    assert "same: no verdict at the margin, its scores are constant" in err
    assert "same: 0" not in err


@pytest.mark.parametrize(("margin", "metric"), [("inf", "mae"), ("2", "spearman"), ("nan", "pearson"), ("0", "rmse")])
def test_a_margin_that_cannot_fail_is_refused(run, files, margin, metric):
    status, _, err = run(*wide(files), "--margin", margin, "--metric", metric)
    assert status == 1
    assert f"margin {margin}: expected a number above 0" in err


def test_spaces_around_a_raters_name_make_nobody_else_and_raters_with_few_items_are_named(run, files, tmp_path):
    table = pl.read_csv(files / "long.csv")
    spaced = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("rater") + " ").otherwise("rater")
    dora = pl.DataFrame({"id": ["i0", "i1"], "rater": "dora", "score": [1, 2]})
    pl.concat([table.with_columns(spaced), dora.cast(dict(table.schema))]).write_csv(tmp_path / "long.csv")
    options = ["--external", f"{files}/judges.csv:good", "--epsilon", "0.15"]
    _, out, _ = run("--scores", tmp_path / "long.csv", *options)
    assert "not tested, with too few items for some judge: 1 of the raters (dora)" in out
    _, out, _ = run("--scores", tmp_path / "long.csv", *options, "--json")
    assert json.loads(out)["raters"] == [*NAMES, "dora"]


def test_epsilon_has_no_default(run, files):
    status, _, err = run(*wide(files)[:-2])
    assert status == 2
    assert "--epsilon" in err


def test_two_raters_are_too_few_and_it_is_said_what_is_needed(run, files):
    status, _, err = run("--scores", files / "wide.csv", "--raters", "anna,ben", *wide(files)[4:])
    assert status == 1
    assert "the test needs 3 such raters" in err


def test_accuracy_takes_scores_as_the_nearest_label(run, files):
    _, out, err = run(*wide(files), "--alignment", "accuracy", "--json")
    assert json.loads(out)["judges"][0]["alt_test"]["rho"] > 0.5
    assert "nearest label" in err


def test_the_nearest_label_is_one_of_the_scale_or_of_the_raters():
    items = pl.DataFrame({"item_id": ["a", "b"], "scores": [[1.0, 4.0], [2.0, 4.0]]})
    judged = JudgedItems(items=items, human=np.ones(2), judges={})
    found = _nearest_labels(np.array([0.0, 1.4, 1.5, 1.6, 3.0, 3.1, 9.0, np.nan]), judged, rater_scores(items))
    np.testing.assert_array_equal(found, [1, 1, 1, 2, 2, 4, 4, np.nan])
    alone = pl.DataFrame({"item_id": ["a"], "scores": [[3.0, 3.0]]})
    assert _nearest_labels(np.array([1.0, 5.0]), judged, rater_scores(alone)).tolist() == [3, 3]


def test_strategies_of_a_cache_are_fitted_without_the_items_that_they_are_tested_on(run, tmp_path):
    cache = make_cache(tmp_path / "c", 96, clusters=24, raters=NAMES)
    judges = [part for name in ("e-score", "ridge", "length") for part in ("--strategy", name)]
    status, out, err = run(cache.path, *judges, "--folds", "3", "--epsilon", "0.2", "--json")
    found = json.loads(out)
    assert (status, [one["judge"] for one in found["judges"]]) == (0, ["e-score", "ridge"])
    assert found["judges"][0]["alt_test"]["raters"][0]["n_clusters"] == 24
    assert found["without"] == {"length": "its scores are not on the raters' scale"}
    assert err.count("note") == len(found["notes"])


def test_the_report_sets_judges_beside_raters_where_these_have_names(tmp_path):
    def table(**options):
        cache = make_cache(tmp_path / f"c{len(options)}", 96, clusters=24, **options)
        return beside_raters(evaluate_cache(cache, strategies=["lager", "e-score", "length"], resamples=50))

    assert table() is None
    found = table(raters=NAMES)
    assert [row[0].text for row in found.rows] == ["lager", "e-score"]
    assert "omega at 0.15" in [column.title for column in found.columns]
