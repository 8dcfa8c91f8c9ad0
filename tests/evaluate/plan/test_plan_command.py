"""`lager plan`: stated numbers, a pilot in files or a cache, and a file of drawn items that `lager estimate` reads."""

import csv
import json
from functools import partial

import numpy as np
import pytest
from support.caches import make_cache
from support.commands import run_command


@pytest.fixture
def run(capsys):
    return partial(run_command, capsys, "plan")


@pytest.fixture(scope="module")
def truth():
    return np.random.default_rng(9).normal(3, 1, 300)


@pytest.fixture(scope="module")
def file(tmp_path_factory, truth):
    """300 items of two systems, 60 labelled by three raters, two judges."""
    rng = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("files") / "items.csv"
    rows = []
    for i, human in enumerate(truth):
        raters = np.round(human + 0.5 * rng.normal(size=3), 2) if i % 5 == 0 else ["", "", ""]
        judges = np.round(human + rng.normal(size=2), 2)
        rows.append([f"i{i}", *raters, "ab"[i // 5 % 2], f"t{i // 2}", *judges])
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["id", "r1", "r2", "r3", "system", "cluster", "one", "two"], *rows])
    return path


def test_stated_numbers_need_no_file(run):
    code, out, err = run("--mean", 0.2, "--difference", 0.3, "--correlation", 0.6, "--items", 500, "--json")
    assert code == 0, err
    plans = json.loads(out)["plans"]
    assert [(one["goal"], one["target"]) for one in plans] == [("mean", 0.2), ("difference", 0.3)]
    assert plans[0]["with_judge"] < plans[0]["alone"] < plans[1]["alone"]


def test_no_judge_and_not_reached_are_told_apart(run):
    code, out, err = run("--mean", 0.2)
    assert code == 0, err
    lines = " ".join(out.split())
    assert "mean 0.2 99 no judge" in lines
    assert "no judge: its correlation with human scores is not stated" in lines
    assert "do not reach it" not in lines
    code, out, err = run("--mean", 0.2, "--items", 20, "--correlation", 0.5)
    assert code == 0, err
    lines = " ".join(out.split())
    assert "mean 0.2 - -" in lines
    assert "-: all items together do not reach it" in lines
    assert "no judge" not in lines


def test_a_pilot_answers_all_questions(run, file):
    pilot = ("--scores", file, "--raters", "r1,r2,r3", "--external", f"{file}:one")
    code, out, err = run(*pilot, "--mean", 0.3, "--difference", 0.8, "--agreement", 0.1, "--margin", 0.2)
    assert code == 0, err
    lines = " ".join(out.split())
    assert "no help" in lines
    assert "labels of each system for means and differences, in all for agreement" in lines
    assert "90 % from the pilot" in lines
    assert "in the pilot the judge's agreement is" in lines


def test_drawn_items_go_back_into_an_estimate(run, file, truth, tmp_path, capsys):
    out = tmp_path / "next.csv"
    judges = ("--external", f"{file}:one", "--external", f"{file}:two")
    code, _, err = run("--scores", file, "--raters", "r1,r2,r3", *judges, "--draw", 40, "--out", out)
    assert code == 0, err
    with out.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 300
    assert sum(row["draw"] == "1" for row in rows) == 40
    assert all((row["probability"] == "") == (row["draw"] == "0" and row["score"] == "") for row in rows)
    for row, human in zip(rows, truth, strict=True):
        if row["draw"] == "1":
            assert row["score"] == ""
            row["score"] = f"{human:.3f}"
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    code, printed, err = run_command(capsys, "estimate", "--scores", out, "--external", f"{out}:one", "--json")
    assert code == 0, err
    content = json.loads(printed)
    assert content["random_p"] > 0.001
    assert not any("drawn items" in note or "stand for" in note for note in content["notes"])
    assert sum(one["n_labelled"] for one in content["means"]) == 100
    assert all(one["low"] < 3 + 0.3 and one["high"] > 3 - 0.3 for one in content["means"])


def test_drawn_items_without_a_score_are_noted(run, file, tmp_path, capsys):
    out = tmp_path / "next.csv"
    judges = ("--external", f"{file}:one", "--external", f"{file}:two")
    code, _, err = run("--scores", file, "--raters", "r1,r2,r3", *judges, "--draw", 40, "--out", out)
    assert code == 0, err
    code, printed, err = run_command(capsys, "estimate", "--scores", out, "--external", f"{out}:one", "--json")
    assert code == 0, err
    assert any(note.startswith("40 of 40 drawn items") for note in json.loads(printed)["notes"])


def test_a_caches_judges_disagree_where_items_are_drawn(run, tmp_path):
    cache = make_cache(tmp_path / "cache", 60, clusters=20)
    (tmp_path / "few.csv").write_text("id,score\n" + "\n".join(f"item{i},{1 + i % 5}" for i in range(24)))
    code, out, err = run(
        cache.path, "--strategy", "lager", "--strategy", "e-score", "--scores", tmp_path / "few.csv", "--mean", 0.5,
        "--draw", 10, "--out", tmp_path / "next.csv", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["plans"][0]["n_systems"] == 4
    assert "e-score" in (tmp_path / "next.csv").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing is asked"),
        (("--draw", "5"), "--draw N and --out FILE.csv belong together"),
        (("--draw", "5", "--out", "x.csv"), "items are drawn, and a pilot is read, from a CACHE"),
        (("--scores", "{file}", "--raters", "r1,r2,r3", "--external", "{file}:one", "--draw", "5", "--out", "x.csv"),
         "one judge says nothing of its doubt"),
        (("--scores", "{file}", "--raters", "r1,r2,r3", "--external", "{file}:one", "--draw", "5", "--out", "x.txt"),
         "give a name that ends in .csv"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_ends_in_a_line(run, file, arguments, said):
    code, _, err = run(*(one.format(file=file) for one in arguments))
    assert code == 1
    assert said in err
