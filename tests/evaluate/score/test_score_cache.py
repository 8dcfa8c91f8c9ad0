"""`lager score CACHE`: an aggregator applied to what a model said before."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.cli import main_or_raise
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.evaluate.score.calibrate import calibrate
from lager.evaluate.score.score_cache import score_cache
from lager.train.aggregator.aggregator import Aggregator
from lager.train.files.aggregator_file import load_aggregator, save_aggregator
from lager.train.strategies.registry import lookup
from lager.train.training_run import train_on_cache
from support.caches import SCALE, make_cache


@pytest.fixture
def cache(tmp_path):
    return make_cache(tmp_path / "cache", 40, shard_size=16, invalid=frozenset({3, 17}))


def fitted(cache, path, strategy="lager-tuned"):
    save_aggregator(path, train_on_cache(cache, strategy=strategy).record)
    return path


def read(path):
    if path.suffix == ".csv":
        return pl.read_csv(path, schema_overrides={"reason": pl.String, "score": pl.Float64})
    return pl.read_parquet(path)


def test_every_row_is_there_in_order_with_the_aggregators_own_numbers(cache, tmp_path, capsys):
    aggregator = fitted(cache, tmp_path / "a.json")
    main_or_raise(["score", str(cache.path), "--aggregator", str(aggregator), "--out", str(tmp_path / "s.jsonl")])
    assert "40 items, 2 without a score" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"item{i}" for i in range(40)]
    one, readouts = load_aggregator(aggregator).aggregator, cache.readouts()
    valid = [row for row in rows if row["valid"]]
    np.testing.assert_allclose([row["score"] for row in valid], one.predict(readouts), atol=1e-12)
    proba = one.predict_proba(readouts)
    np.testing.assert_allclose([list(row["distribution"].values()) for row in valid], proba, atol=1e-12)
    np.testing.assert_allclose([row["entropy"] for row in valid], -(proba * np.log(proba)).sum(axis=1), atol=1e-12)
    np.testing.assert_allclose([row["score_mass"] for row in valid], cache.score_mass[cache.valid], atol=1e-12)
    assert rows[3] == {
        "id": "item3", "score": None, "distribution": None, "entropy": None, "score_mass": None, "valid": False,
        "reason": "too long", "prompt_sha256": rows[3]["prompt_sha256"],
    }  # fmt: skip


def test_scores_of_other_items_under_the_same_ids_are_refused(cache, tmp_path):
    """A score file says which prompts it is of, so that an evaluation does not trust ids alone."""
    aggregator = fitted(cache, tmp_path / "a.json")
    main_or_raise(["score", str(cache.path), "--aggregator", str(aggregator), "--out", str(tmp_path / "s.jsonl")])
    external = ["evaluate", str(cache.path), "--strategy", "e-score", "--resamples", "0", "--external"]
    main_or_raise([*external, f"{tmp_path / 's.jsonl'}:score"])
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    moved = [row | {"id": f"item{(place + 1) % 40}"} if place > 20 else row for place, row in enumerate(rows[:-1])]
    (tmp_path / "moved.jsonl").write_text("".join(json.dumps(row) + "\n" for row in moved))
    with pytest.raises(LagerError, match="rows are of other items than those of their ids"):
        main_or_raise([*external, f"{tmp_path / 'moved.jsonl'}:score"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_have_a_column_a_label_and_the_same_content(cache, tmp_path, ending):
    aggregator = fitted(cache, tmp_path / "a.json")
    score_cache(cache, aggregator, out=tmp_path / "s.jsonl")
    out = tmp_path / f"s[1].{ending}"  # no pattern
    scored = score_cache(cache, aggregator, out=out)
    assert (scored.n_items, scored.n_valid, scored.n_in_sample) == (40, 38, 38)
    table = read(out.rename(tmp_path / f"s.{ending}"))
    assert table.columns == [
        "id", "score", "p_1", "p_2", "p_3", "p_4", "p_5", "entropy", "score_mass", "valid", "reason", "prompt_sha256"
    ]  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert table["id"].to_list() == [row["id"] for row in rows]
    assert table["score"].to_list() == [row["score"] for row in rows]
    assert table["p_4"].to_list() == [row["distribution"] and row["distribution"]["4"] for row in rows]
    assert table["score"][3] is None
    assert not list(tmp_path.glob("*.partial*"))


@pytest.mark.parametrize("strategy", ["vscore", "e-score", "prob", "ridge", "group-mean", "length", "lager-early:2"])
def test_any_strategy_scores_and_one_without_a_distribution_has_none(cache, tmp_path, strategy):
    aggregator = fitted(cache, tmp_path / "a.json", strategy)
    score_cache(cache, aggregator, out=tmp_path / "s.parquet")
    table = read(tmp_path / "s.parquet")
    valid = table.filter("valid")
    assert valid["score"].is_finite().all()
    has_proba = load_aggregator(aggregator).aggregator.has_proba
    assert valid["entropy"].is_null().any() == (not has_proba)


def regrouped(cache, groups):
    """Return a cache of the same read-outs whose items have other groups."""
    return replace(cache, items=cache.items.with_columns(pl.Series("group", groups, dtype=pl.String)))


@pytest.mark.parametrize("strategy", ["ridge", "group-mean"])
def test_items_of_no_group_that_was_learnt_get_the_mean_of_all_no_interval_and_a_note(tmp_path, strategy):
    train = make_cache(tmp_path / "train", 60, seed=1)
    held_out = make_cache(tmp_path / "held-out", 100, seed=2, first=1000, clusters=30)
    record = calibrate(train_on_cache(train, strategy=strategy).record, held_out).record
    save_aggregator(tmp_path / "a.json", record)
    new = make_cache(tmp_path / "new", 40, seed=3, first=3000, invalid=frozenset({6}))
    whole = score_cache(new, tmp_path / "a.json", out=tmp_path / "whole.parquet")
    assert not any("in none of these" in note for note in whole.notes)
    groups = [None if i < 10 else "style" if i < 12 else f"criterion{i % 2}" for i in range(40)]
    part = score_cache(regrouped(new, groups), tmp_path / "a.json", out=tmp_path / "part.parquet")
    (note,) = [note for note in part.notes if "in none of these" in note]
    assert note == (
        "the aggregator has an intercept or mean for each group (criterion0, criterion1): 11 of 40 items are in none "
        "of these (they have style), and get the mean of all and no interval; extract with --group"
    )
    whole, part = read(tmp_path / "whole.parquet"), read(tmp_path / "part.parquet")
    assert part[12:].equals(whole[12:])
    assert whole.filter("valid")["low"].is_not_null().all()
    assert part["low"][:12].is_null().all()
    assert part["high"][:12].is_null().all()
    valid = new.valid[:12]
    if strategy == "ridge":
        learnt = record.aggregator.parameters["group_intercepts"]
        own = np.array([learnt[f"criterion{i % 2}"] for i in range(12)])
        linear = whole["score"][:12].to_numpy() - own
        expected = linear + np.mean(list(learnt.values()))
    else:
        expected = np.full(12, record.aggregator.parameters["mean"])
    np.testing.assert_allclose(part["score"][:12].to_numpy()[valid], expected[valid], atol=1e-9)
    nothing = score_cache(regrouped(new, [None] * 40), tmp_path / "a.json", out=tmp_path / "none.parquet")
    assert any("39 of 40 items are in none of these, and" in note for note in nothing.notes)
    assert read(tmp_path / "none.parquet")["low"].is_null().all()


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2])
def test_a_run_that_was_killed_goes_on_and_ends_in_the_same_file(cache, tmp_path, after, monkeypatch):
    aggregator = fitted(cache, tmp_path / "a.json")
    score_cache(cache, aggregator, out=tmp_path / "whole.csv")
    read_shard, seen = FeatureCache.read_shard, []

    def dies(self, number):
        if number == after:
            raise KilledError
        return read_shard(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureCache, "read_shard", dies)
        with pytest.raises(KilledError):
            score_cache(cache, aggregator, out=tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()
    with (tmp_path / "s.csv.partial").open("a") as file:
        file.write('{"id": "half a r')  # what was written after the record

    def watched(self, number):
        seen.append(number)
        return read_shard(self, number)

    monkeypatch.setattr(FeatureCache, "read_shard", watched)
    scored = score_cache(cache, aggregator, out=tmp_path / "s.csv")
    assert seen == list(range(after, 3))
    assert scored.n_valid == 38
    assert scored.n_in_sample == 38
    assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_it_does_not_go_on_with_another_aggregator(cache, tmp_path, monkeypatch):
    first, second = fitted(cache, tmp_path / "a.json"), fitted(cache, tmp_path / "b.json", "lager")

    def dies(self, number):
        raise KilledError

    real = FeatureCache.read_shard
    monkeypatch.setattr(FeatureCache, "read_shard", lambda self, n: real(self, n) if n == 0 else dies(self, n))
    with pytest.raises(KilledError):
        score_cache(cache, first, out=tmp_path / "s.jsonl")
    with pytest.raises(LagerError, match=r"s\.jsonl\.partial was begun with another aggregator"):
        score_cache(cache, second, out=tmp_path / "s.jsonl")


def test_what_exists_is_not_overwritten_and_the_ending_says_the_format(cache, tmp_path):
    aggregator = fitted(cache, tmp_path / "a.json")
    (tmp_path / "s.csv").write_text("mine")
    with pytest.raises(LagerError, match="exists already"):
        score_cache(cache, aggregator, out=tmp_path / "s.csv")
    with pytest.raises(LagerError, match=r"ends in \.jsonl, \.csv, \.parquet"):
        score_cache(cache, aggregator, out=tmp_path / "s.txt")
    assert (tmp_path / "s.csv").read_text() == "mine"


def test_an_aggregator_of_other_read_outs_is_refused_unless_forced(cache, tmp_path):
    other = make_cache(tmp_path / "other", 30, weights="w1")
    aggregator = fitted(other, tmp_path / "a.json")
    with pytest.raises(LagerError, match=r"fitted on other read-outs than those of cache .* \(weights differ\)"):
        score_cache(cache, aggregator, out=tmp_path / "s.csv")
    scored = score_cache(cache, aggregator, out=tmp_path / "s.csv", force=True)
    assert scored.notes[0].startswith("forced: ")
    deep = Aggregator(lookup("layer:1"), "converged", SCALE, 8, (0.0, 1.0, *(0.0,) * 7))
    save_aggregator(tmp_path / "deep.json", deep)
    with pytest.raises(LagerError, match=r"fitted on 8 layers and cache .* has 4"):
        score_cache(cache, tmp_path / "deep.json", out=tmp_path / "t.csv", force=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a CACHE, or both --model MODEL and --items ITEMS"),
        (["--model", "m"], "give a CACHE, or both"),
        (["cache", "--template", "direct"], "--template: CACHE holds what the model said already"),
        (["cache", "--model", "m", "--items", "i.jsonl"], "--model, --items: CACHE holds"),
    ],
)
def test_what_to_score_has_to_be_clear(arguments, message, tmp_path):
    rest = ["--aggregator", "a.json", "--out", str(tmp_path / "s.csv")]
    with pytest.raises(LagerError, match=message):
        main_or_raise(["score", *arguments, *rest])


KILLED = """
import os, signal, sys
from pathlib import Path
from lager.data.cache.feature_cache import FeatureCache
from lager.evaluate.score import journal
from lager.evaluate.score.score_cache import score_cache

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_in_the_second_part(real, left=[1]):
    def write(*arguments, **options):
        return real(*arguments, **options) if left.pop() else die()
    left.insert(0, 0)
    return write

where = sys.argv[1]
if where == "between rows and record":
    journal.write_json = die_in_the_second_part(journal.write_json)
elif where == "while the record is written":
    journal.os.fsync = die_in_the_second_part(os.fsync)
elif where == "before the name is given":
    journal.ScoreJournal.finish = die
score_cache(FeatureCache.open(sys.argv[2]), Path(sys.argv[3]), out=Path(sys.argv[4]))
"""


@pytest.mark.parametrize(
    "where", ["between rows and record", "while the record is written", "before the name is given"]
)
def test_after_a_sigkill_anywhere_the_same_command_ends_in_the_same_file(cache, tmp_path, where):
    aggregator, out = fitted(cache, tmp_path / "a.json"), tmp_path / "s.parquet"
    arguments = [sys.executable, "-c", KILLED, where, str(cache.path), str(aggregator), str(out)]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    assert not out.exists()
    assert (tmp_path / "s.parquet.partial").stat().st_size > 0
    scored = score_cache(cache, aggregator, out=out)
    score_cache(cache, aggregator, out=tmp_path / "whole.parquet")
    assert read(out).equals(read(tmp_path / "whole.parquet"))
    assert (scored.n_items, scored.n_valid, scored.n_in_sample) == (40, 38, 38)


def test_a_second_process_is_refused_while_one_writes_and_told_who_it_is(cache, tmp_path):
    aggregator, out = fitted(cache, tmp_path / "a.json"), tmp_path / "s.csv"
    said = []

    def second(_):
        with pytest.raises(LagerError) as error:
            score_cache(cache, aggregator, out=out)
        said.append(str(error.value))

    score_cache(cache, aggregator, out=out, advance=second)
    assert len(said) == 3
    assert all(f"--out {out} is being written already (process {os.getpid()} on " in line for line in said)
    assert len(read(out)) == 40
    assert not list(tmp_path.glob("s.csv.*"))


def test_the_lock_of_a_process_that_is_gone_is_taken_over(cache, tmp_path):
    (tmp_path / "s.csv.partial.lock").write_text("process 1 on elsewhere, since long ago")
    score_cache(cache, fitted(cache, tmp_path / "a.json"), out=tmp_path / "s.csv")
    assert not list(tmp_path.glob("s.csv.*"))


def test_two_commands_at_once_end_with_one_whole_file(cache, tmp_path):
    aggregator, out = fitted(cache, tmp_path / "a.json"), tmp_path / "s.jsonl"
    code = "from lager.cli import main; main()"
    command = [sys.executable, "-c", code, "score", cache.path, "--aggregator", aggregator, "--out", out]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [(*one.communicate(timeout=100), one.returncode) for one in both]
    assert sorted(code for *_, code in ends) == [0, 1]
    (reason,) = (err for _, err, code in ends if code)
    assert "is being written already" in reason or "exists already" in reason
    assert len(out.read_text().splitlines()) == 40
