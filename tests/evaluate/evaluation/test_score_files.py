"""Other judges' scores from files, beside a cache's strategies or alone, and what is refused."""

import json
from functools import partial

import pytest
from support.caches import make_cache
from support.commands import run_command

GPT = ("--scores", "human.jsonl", "--external", "gpt.csv:rating")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    path = tmp_path_factory.mktemp("cache") / "test"
    make_cache(path, 60, seed=1)
    return path


@pytest.fixture
def run(capsys):
    return partial(run_command, capsys, "evaluate")


def write(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture
def files(tmp_path):
    """Human scores of 30 items by two raters, in groups, and two judges of them."""
    lines = [
        json.dumps({"id": f"a{i}", "score": [1 + i % 5, 1 + (i + i // 7) % 5], "aspect": "xy"[i % 2], "dataset": "d"})
        for i in range(30)
    ]
    (tmp_path / "human.jsonl").write_text("\n".join(lines))
    write(tmp_path / "gpt.csv", "id,rating,other", [(f"a{i}", 1 + i % 5, 1 + i % 3) for i in range(30)])
    return tmp_path


def test_another_judge_stands_in_the_table_and_can_be_the_baseline(cache, run, tmp_path):
    judge = write(tmp_path / "gpt.csv", "id,rating", [(f"item{i}", 1 + i % 5) for i in range(50)])
    code, out, err = run(
        cache,
        "--strategy",
        "lager",
        "--external",
        f"{judge}:rating",
        "--baseline",
        "rating",
        "--resamples",
        40,
        "--json",
    )
    assert code == 0, err
    content = json.loads(out)
    assert [row["strategy"] for row in content["results"]] == ["lager", "rating"]
    assert content["results"][1]["source"] == "external"
    assert content["results"][1]["n"] == 50
    (compared,) = content["comparison"]["results"]
    assert compared["strategy"] == "lager"
    assert compared["spearman"]["n"] == 50


def test_score_files_alone_are_compared_without_a_cache(files, run):
    options = ("--scores", files / "human.jsonl", "--resamples", 20, "--json")
    judges = ("--external", f"{files}/gpt.csv:rating", "--external", f"{files}/gpt.csv:other")
    code, out, err = run(*options, *judges, "--scale", "1-5", "--by", "aspect")
    assert code == 0, err
    content = json.loads(out)
    assert (content["n"], content["level"], content["groups"]) == (30, "group", 2)
    assert [row["strategy"] for row in content["results"]] == ["rating", "other"]
    assert content["results"][0]["accuracy"]["estimate"] is not None
    assert content["human_reference"]["human"]["spearman"]["estimate"] is not None
    code, out, _ = run(*options, *judges)
    content = json.loads(out)
    assert content["level"] == "pooled"
    assert content["results"][0]["accuracy"]["reason"] == "the score scale is not given"


def test_several_columns_name_a_group_together(files, run):
    options = ("--scores", files / "human.jsonl", "--external", f"{files}/gpt.csv:rating", "--resamples", 0, "--json")
    _, out, _ = run(*options, "--by", "dataset,aspect")
    assert [one["group"] for one in json.loads(out)["results"][0]["groups"]] == ["d / x", "d / y"]


def test_columns_of_one_name_are_told_apart_by_their_files(files, run):
    (files / "other.csv").write_text((files / "gpt.csv").read_text())
    judges = [part for name in ("gpt", "other") for part in ("--external", f"{files}/{name}.csv:rating")]
    _, out, _ = run("--scores", files / "human.jsonl", *judges, "--resamples", 0, "--json")
    assert [row["strategy"] for row in json.loads(out)["results"]] == ["gpt:rating", "other:rating"]


@pytest.mark.parametrize(
    ("rows", "column", "message"),
    [
        ([("x1", 1), ("x2", 2), ("x3", 3), ("x4", 4), ("a1", 5)], "rating",
         "4 of 5 ids are not among the 30 evaluated items (first: 'x1', 'x2', 'x3')"),
        ([("a1", 1), ("a1", 2), ("a2", 3)], "rating", "1 rows repeat an id ('a1')"),
        ([("a1", 1), ("a2", 9)], "rating", "1 of 2 values of 'rating' lie outside the scale 1-5 (first: 9 of 'a2')"),
        ([("a1", 1)], "ratings", "has no column 'ratings': did you mean rating? It has id, rating"),
        ([("a1", ""), ("a2", "")], "rating", "column 'rating' is empty in all 2 rows"),
        ([("a1", "good")], "rating", "row 1: rating is 'good', expected a finite number"),
    ],
    ids=["unknown ids", "duplicates", "off the scale", "no such column", "empty", "no number"],
)  # fmt: skip
def test_files_that_cannot_be_joined_are_one_line_and_exit_1(files, run, rows, column, message):
    write(files / "bad.csv", "id,rating", rows)
    code, out, err = run("--scores", files / "human.jsonl", "--external", f"{files}/bad.csv:{column}", "--scale", "1-5")
    assert code == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a CACHE, or --scores FILE and --external FILE:COLUMN"),
        (("--scores", "human.jsonl"), "there is nothing to evaluate"),
        (("--scores", "human.jsonl", "--external", "gpt.csv"), "expected FILE:COLUMN"),
        ((*GPT, "--folds", "3"), "--folds needs a CACHE"),
        ((*GPT, "--by", "aspct"), "no item has a column 'aspct': did you mean aspect or"),
        ((*GPT, "--by", "aspect", "--level", "pooled"), "leave one of them out"),
        ((*GPT, "--by", ","), "expected the name of a column"),
        ((*GPT, "--baseline", "gpt"), "the baseline 'gpt' is not evaluated"),
        ((*GPT, "--metric", "alpha"), "unknown metric 'alpha'"),
        ((*GPT, "--scale", "1-3"), "lie outside the scale 1-3"),
        (("--scores", "human.jsonl", "--external", "none.csv:rating"), "does not exist"),
        (("--scores", "single.csv", "--external", "single.csv:judge", "--by", "aspect"),
         "each of the 3 groups has one labelled item"),
        (("--scores", "empty.csv", "--external", "gpt.csv:rating"), "no human score in any"),
        (("--scores", "gpt.csv", "--external", "gpt.csv:rating"), "has no column 'score'"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_one_line_and_exit_1(files, run, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    write(files / "single.csv", "id,score,judge,aspect", [("a", 1, 1, "x"), ("b", 2, 1, "y"), ("c", 3, 2, "z")])
    write(files / "empty.csv", "id,score", [("a1", ""), ("a2", "")])
    code, out, err = run(*arguments)
    assert code == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


def test_a_scale_beside_a_cache_is_refused(cache, run):
    code, _, err = run(cache, "--scale", "1-5")
    assert code == 1
    assert "a cache has its own scale" in err


def test_a_cache_is_grouped_by_a_column_of_its_items(cache, run):
    _, out, _ = run(cache, "--strategy", "lager", "--by", "system", "--resamples", 0, "--json")
    content = json.loads(out)
    assert [one["group"] for one in content["results"][0]["groups"]] == [f"writer{i}" for i in range(4)]
    code, _, err = run(cache, "--by", "sistem")
    assert code == 1
    assert "did you mean system" in err
