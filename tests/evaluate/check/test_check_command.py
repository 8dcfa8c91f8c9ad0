"""`lager check` on caches and files of scores."""

import json

import numpy as np
import polars as pl
import pytest
from lager.train.files.aggregator_file import save_aggregator
from lager.train.training_run import train_on_cache
from support.caches import make_cache
from support.commands import run_command


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """The same items read twice, by two judges of equal weights' names."""
    folder = tmp_path_factory.mktemp("caches")
    then = make_cache(folder / "then", 120, clusters=40, shard_size=120, invalid=frozenset({3}))
    now = make_cache(folder / "now", 120, clusters=40, shard_size=50, noise=1, template="other", invalid=frozenset({7}))
    return then, now


def test_the_same_cache_passes(caches, capsys):
    code, out, err = run_command(capsys, "check", caches[0].path, caches[0].path, "--margin", "0.4",
                                 "--agreement-margin", "0.2")  # fmt: skip
    assert code == 0
    assert "no shift is seen" in out
    assert "no score changed; the interval is what may have changed unseen" in out.replace("\n", " ")
    assert err == ""


def test_another_reading_is_told_by_judge_layer_and_settings(caches, capsys):
    code, out, err = run_command(capsys, "check", caches[0].path, caches[1].path, "--margin", "0.5", "--item-margin",
                                 "0.01", "--agreement-margin", "0.5", "--strategy", "e-score", "--json")  # fmt: skip
    told = json.loads(out)
    judge = told["judges"][0]
    assert (code, told["verdict"], judge["size"]["verdict"]) == (3, "FAIL", "FAIL")
    assert judge["mean"]["n_both"] == 118
    assert len(told["layers"]["layers"]) == 5
    assert told["layers"]["n"] == 118
    then, now = (cache.readouts().logits_normed.astype(float) for cache in caches)
    both = [[i for i in range(119) if caches[k].readouts().item_id[i] not in {"item3", "item7"}] for k in (0, 1)]
    expected = []
    for logits, rows in zip((then, now), both, strict=True):
        proba = np.exp(logits[rows] - logits[rows].max(axis=2, keepdims=True))
        expected.append((proba / proba.sum(axis=2, keepdims=True)) @ np.arange(1.0, 6.0))
    change = (expected[1] - expected[0]).mean(axis=0)
    assert [one["mean"] for one in told["layers"]["layers"]] == pytest.approx(change)
    assert "prompts are read in another way" in err
    assert "1 items have a score in the baseline alone" in err


def test_an_aggregator_scores_readouts_of_another_dtype_too(caches, tmp_path, capsys):
    save_aggregator(tmp_path / "a.json", train_on_cache(make_cache(tmp_path / "train", 60, first=1000)).record)
    other = make_cache(tmp_path / "other", 120, clusters=40, weights="w1", template="direct")
    code, out, err = run_command(capsys, "check", caches[0].path, other.path, "--margin", "0.4", "--item-margin", "0.4",
                                 "--aggregator", tmp_path / "a.json", "--json")  # fmt: skip
    assert (code, json.loads(out)["judges"][0]["judge"]) == (0, "lager-tuned")
    assert "read-outs differ in weights" in err


def write(path, rows):
    pl.DataFrame(rows).write_csv(path)
    return path


def test_files_of_scores_with_people_in_a_third(tmp_path, capsys):
    rng = np.random.default_rng(0)
    ids, quality = [f"i{i}" for i in range(200)], rng.normal(3, 1, size=200)
    then, change = write(tmp_path / "then.csv", {"id": ids, "score": quality}), rng.normal(0.02, 0.1, size=200)
    now = write(tmp_path / "now.csv", {"id": ids[::-1], "rating": (quality + change)[::-1]})
    people = {"id": ids, "score": quality + rng.normal(size=200), "cluster": [f"c{i // 4}" for i in range(200)]}
    arguments = ["check", then, f"{now}:rating", "--margin", "0.1", "--agreement-margin", "0.05"]
    code, out, _ = run_command(capsys, *arguments, "--scores", write(tmp_path / "people.csv", people), "--json")
    told = json.loads(out)
    assert (code, told["verdict"]) == (0, "PASS")
    judge = told["judges"][0]
    assert (judge["n_clusters"], judge["n_labelled"]) == (50, 200)
    assert judge["score"]["change"] == pytest.approx(change.mean())
    assert told["layers"] == {"reason": "layers are compared between two caches"}


def test_without_people_or_item_margin_a_mean_that_stays_ends_with_4(tmp_path, capsys):
    ids = [f"i{i}" for i in range(50)]
    file = write(tmp_path / "a.csv", {"id": ids, "score": np.linspace(1, 5, 50)})
    half = write(tmp_path / "half.csv", {"id": ids, "score": [None if i % 2 else 1 + i * 4 / 49 for i in range(50)]})
    code, out, _ = run_command(capsys, "check", file, file, "--margin", "0.1")
    assert code == 4
    assert "NOT CHECKED" in out
    assert "there are no human scores" in out
    margins = ["--margin", "0.5", "--item-margin", "0.5"]
    assert run_command(capsys, "check", file, file, *margins)[0] == 0
    code, _, err = run_command(capsys, "check", file, half, *margins)
    assert (code, "50.0% of the items that had a score have none now" in err) == (4, True)
    assert run_command(capsys, "check", file, half, *margins, "--missing", "0.5")[0] == 0
    assert run_command(capsys, "check", file, file, *margins, "--agreement-margin", "0.1")[0] == 4


def test_other_texts_under_the_same_ids_are_told(tmp_path, capsys):
    then, now = (make_cache(tmp_path / name, 30, prompts=name) for name in ("then", "now"))
    _, _, err = run_command(capsys, "check", then.path, now.path, "--margin", "0.5")
    assert "30 items have another prompt under the same id" in err


def test_what_cannot_be_compared_is_refused(caches, tmp_path, capsys):
    file = write(tmp_path / "a.csv", {"id": ["item1", "item2"], "score": [1.0, 2.0]})
    others = make_cache(tmp_path / "others", 120, seed=5, clusters=40)
    cases = [
        ([caches[0].path, others.path], "have other human scores"),
        ([caches[0].path, file], "no judge is in both"),
        ([file, file, "--strategy", "lager"], "score a cache"),
        ([caches[0].path, caches[1].path, "--strategy", "length"], "these numbers are no scores"),
        ([file, tmp_path / "none.csv"], "does not exist"),
        ([file, file, "--scores", write(tmp_path / "p.csv", {"id": ["x"], "score": [1.0]})], "none of its 1 ids"),
    ]
    for arguments, message in cases:
        code, _, err = run_command(capsys, "check", *arguments, "--margin", "0.1")
        assert code == 1
        assert message in err
    assert run_command(capsys, "check", file, file)[0] == 2  # a margin is always stated
