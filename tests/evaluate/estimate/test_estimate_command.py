"""`lager estimate`: files alone, a cache with judges by folds and by layer, what is written, what is refused."""

import csv
import json
from functools import partial

import numpy as np
import pytest
from support.caches import make_cache
from support.commands import run_command

SYSTEMS = {"hasty": 2.4, "stately": 3.6}


@pytest.fixture
def run(capsys):
    return partial(run_command, capsys, "estimate")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """400 items of two systems, a fifth of them labelled, and a judge who prefers the wrong one."""
    rng = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("files") / "items.csv"
    rows = []
    for i in range(400):
        system = ("hasty", "stately")[i % 2]
        quality = rng.normal()
        human = round(SYSTEMS[system] + quality, 3) if rng.random() < 0.2 else ""
        rows.append([f"i{i}", human, system, f"text{i // 4}", round(6 - SYSTEMS[system] + quality, 3), "ab"[i % 3 > 0]])
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["id", "score", "system", "cluster", "gpt", "part"], *rows])
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return make_cache(tmp_path_factory.mktemp("cache") / "all", 120, clusters=40)


def test_files_alone_give_the_means_of_systems(file, run, tmp_path):
    out = tmp_path / "out"
    code, printed, err = run("--scores", file, "--external", f"{file}:gpt", "--out", out, "--json")
    assert code == 0, err
    content = json.loads(printed)
    assert content == json.loads((out / "estimates.json").read_text())
    means = {one["name"]: one for one in content["means"]}
    for name, truth in SYSTEMS.items():
        assert means[name]["low"] < truth < means[name]["high"]
        assert abs(means[name]["judge_means"]["gpt"] - (6 - truth)) < 0.2
    with (out / "means.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["mean"]) == means["hasty"]["mean"]
    assert float(rows[0]["gpt alone"]) == means["hasty"]["judge_means"]["gpt"]
    assert "| stately | " in (out / "means.md").read_text()
    assert len((out / "differences.csv").read_text().splitlines()) == 2


def test_the_table_says_what_the_figures_rest_on(file, run):
    code, printed, err = run("--scores", file, "--external", f"{file}:gpt")
    assert code == 0, err
    lines = " ".join(printed.split())
    assert "of 400 items have human scores" in lines
    assert "1 of 1 differences are clear after Holm's correction" in lines
    assert "lie outside the range of the human scores" in lines
    assert "labels drawn at random: p =" in lines
    assert lines.index("stately") < lines.index("hasty")


def test_groups_shares_and_strata(file, run):
    options = ("--scores", file, "--external", f"{file}:gpt", "--json")
    code, printed, err = run(*options, "--by", "part", "--at-least", "3.5", "--stratum", "system")
    assert code == 0, err
    content = json.loads(printed)
    assert [one["name"] for one in content["means"]] == ["a", "b"]
    assert 0 < content["means"][0]["mean"] < 1
    assert content["random_p"] > 0.001
    assert [one["name"] for one in content["rogan_gladen"]] == ["a", "b"]


@pytest.mark.parametrize("judges", [("--strategy", "ridge", "--strategy", "lager"), ("--layers",)])
def test_a_caches_judges_are_mixed(cache, run, tmp_path, judges):
    rows = [f"item{i},{float(np.mean(scores))}" for i, scores in enumerate(cache.scores) if (i % 40) < 16]
    (tmp_path / "few.csv").write_text("id,score\n" + "\n".join(rows))
    code, printed, err = run(cache.path, *judges, "--scores", tmp_path / "few.csv", "--json")
    assert code == 0, err
    content = json.loads(printed)
    assert [one["name"] for one in content["means"]] == ["writer0", "writer1", "writer2", "writer3"]
    expected = ["ridge", "lager"] if "--strategy" in judges else [f"layer:{entry}" for entry in range(5)]
    assert sorted(content["mixture"]) == sorted(expected)
    truth = cache.mean_scores
    writers = cache.column("system")
    for one in content["means"]:
        assert one["low"] < truth[writers == one["name"]].mean() < one["high"]


def test_labels_by_choice_need_probabilities(file, run, tmp_path):
    rng = np.random.default_rng(1)
    with file.open() as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        share = 0.6 if float(row["gpt"]) > 3 else 0.05
        there = rng.random() < share
        row |= {"score": float(row["gpt"]) if there else "", "probability": share if there else ""}
    with (tmp_path / "chosen.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    arguments = ("--external", f"{tmp_path}/chosen.csv:gpt", "--by", "part", "--json")
    code, printed, err = run("--scores", tmp_path / "chosen.csv", *arguments)
    assert code == 0, err
    assert json.loads(printed)["random_p"] > 0.001
    without = tmp_path / "without.csv"
    without.write_text((tmp_path / "chosen.csv").read_text().replace("probability", "other"))
    code, _, err = run("--scores", without, *arguments)
    assert code == 1
    assert "they were not drawn at random, or not with equal chances. Give each one's probability" in err


def two_files(file, folder, *, of_judge):
    """Labels with all columns, and the judge's scores of all items with some."""
    with file.open() as stream:
        rows = list(csv.DictReader(stream))
    for name, kept, some in (
        ("labels", [row for row in rows if row["score"]], ("id", "score", "system", "cluster")),
        ("judge", rows, ("id", "gpt", *of_judge)),
    ):
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, some, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)
    return ("--scores", folder / "labels.csv", "--external", f"{folder}/judge.csv:gpt")


def test_a_judges_file_without_systems_is_refused(file, run, tmp_path):
    code, _, err = run(*two_files(file, tmp_path, of_judge=()))
    assert code == 1
    assert "items without a human score has a system" in err
    assert "in the judge's file (--external) too" in err
    code, printed, err = run(*two_files(file, tmp_path, of_judge=("system",)), "--json")
    assert code == 0, err
    content = json.loads(printed)
    assert sum(one["n_items"] for one in content["means"]) == 400
    assert any("items have no cluster: each counts as independent" in note for note in content["notes"])


def test_items_without_a_system_are_said_to_be_left_out(file, run, tmp_path):
    (tmp_path / "some.csv").write_text(file.read_text().replace("hasty,text1,", ",text1,"))
    code, printed, err = run("--scores", tmp_path / "some.csv", "--external", f"{tmp_path}/some.csv:gpt", "--json")
    assert code == 0, err
    assert any(
        note.startswith("2 of 400 items, ") and "have no system" in note for note in json.loads(printed)["notes"]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a CACHE, or --scores FILE and --external"),
        (("--layers",), "--layers needs a CACHE"),
        (
            ("--scores", "{file}", "--external", "{file}:gpt", "--stratum", "no"),
            "--stratum no: no item has such a column",
        ),
        (("--scores", "{file}", "--external", "{file}:gpt", "--by", "no"), "--by: no item has a column 'no'"),
    ],
)
def test_what_cannot_be_done_ends_in_a_line(file, run, arguments, said):
    code, _, err = run(*(one.format(file=file) for one in arguments))
    assert code == 1
    assert said in err
