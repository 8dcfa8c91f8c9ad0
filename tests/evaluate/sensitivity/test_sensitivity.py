"""`lager sensitivity`: the same items under several prompts."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.cli import main_or_raise
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from lager.data.scale import Scale
from lager.evaluate.sensitivity.compare_prompts import prompt_sensitivity
from lager.train.files.aggregator_file import save_aggregator
from lager.train.training_run import train_on_cache
from scipy.stats import kendalltau, spearmanr
from support.caches import identity, make_cache, make_items, make_shard, write
from support.schemas import check_output
from support.tiny_models import save_judge


def e_score(cache):
    proba = np.exp(cache.logits_normed[:, -1].astype(float))
    return (proba / proba.sum(axis=1, keepdims=True)) @ Scale.parse("1-5").array


@pytest.fixture
def prompts(tmp_path):
    """The same sixty items."""
    one = make_cache(tmp_path / "one", 60, template="one", invalid=frozenset({4}))
    two = make_cache(tmp_path / "two", 60, template="two", noise=1, invalid=frozenset({9}))
    return {"one": one, "two": two}


def test_figures_are_those_of_the_items_valid_under_every_prompt(prompts):
    found = prompt_sensitivity(prompts, ["e-score"], resamples=20)
    assert (found.n_items, found.level) == (58, "group")
    one, two = prompts.values()
    rows = np.setdiff1d(np.arange(60), [4, 9])
    group = one.items["group"].to_numpy()[rows]
    a, b = e_score(one)[rows], e_score(two)[rows]
    (between,) = found.between
    means = {
        "spearman": np.mean([spearmanr(a[group == g], b[group == g])[0] for g in set(group)]),
        "kendall": np.mean([kendalltau(a[group == g], b[group == g])[0] for g in set(group)]),
    }
    assert {name: between[name] for name in means} == pytest.approx(means, abs=1e-9)
    assert found.spread["e-score"] == pytest.approx(np.abs(a - b).mean() / 2 / 4, abs=1e-9)
    human = one.mean_scores[rows]
    expected = np.mean([spearmanr(a[group == g], human[group == g])[0] for g in set(group)])
    first = found.figures[0]
    assert (first.prompt, first.strategy) == ("one", "e-score")
    assert first.people["spearman"].estimate == pytest.approx(expected, abs=1e-9)
    assert first.people["spearman"].low < expected < first.people["spearman"].high
    assert found.notes == ["two and one differ in template (two; one)"]


def test_a_prompt_that_changes_nothing_moves_nothing(tmp_path, prompts):
    same = make_cache(tmp_path / "same", 60, template="same", invalid=frozenset({4}))
    found = prompt_sensitivity({"one": prompts["one"], "same": same}, ["e-score", "lager"], resamples=0)
    assert found.spread == {"e-score": 0.0, "lager": 0.0}
    assert all(pair["spearman"] == pytest.approx(1.0) for pair in found.between)


def test_the_command_prints_a_table_and_writes_the_same_figures(prompts, tmp_path, capsys):
    caches = [str(cache.path) for cache in prompts.values()]
    main_or_raise(["sensitivity", *caches, "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "58 items valid under every prompt; means over groups" in printed
    assert "of the scale (standard deviation over prompts)" in printed
    main_or_raise(["sensitivity", *caches, "--json"])
    printed = check_output("sensitivity", capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "sensitivity.json").read_text())
    with pytest.raises(LagerError, match="exists already"):
        main_or_raise(["sensitivity", *caches, "--out", str(tmp_path / "out")])


def test_several_templates_and_scales_are_read_in_one_command(tmp_path, capsys):
    templates = [tmp_path / "short.jinja", tmp_path / "mine.jinja"]
    templates[0].write_text("{{ response }}\nScore: ")
    templates[1].write_text("{{ instruction }}\n{{ response }}\nHow good? ")
    items = tmp_path / "items.jsonl"
    rows = [{"instruction": "Say a word.", "response": "word " * (i + 1), "score": 1 + i % 5} for i in range(6)]
    items.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judge, out = save_judge(tmp_path / "judge"), tmp_path / "out"
    command = ["sensitivity", "--model", str(judge), "--items", str(items), "--out", str(out), "--json"]
    command += [word for template in templates for word in ("--template", str(template))]
    command += ["--scale", "1-5", "--scale", "0-4", "--human-range", "1-5"]
    main_or_raise(command)
    told = json.loads(capsys.readouterr().out)
    names = ["short_1-5", "short_0-4", "mine_1-5", "mine_0-4"]
    assert [one["prompt"] for one in told["figures"] if one["strategy"] == "lager"] == names
    assert sorted(path.name for path in (out / "caches").iterdir()) == sorted(names)
    assert told["n_items"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give two or more CACHES"),
        (["--model", "m", "--items", "i.jsonl", "--template", "direct", "--out", "o"], "expected two or more"),
        (["c1", "c2", "--model", "m"], "--model: the caches are read already"),
        (["c1", "c1"], "named twice"),
    ],
)
def test_commands_that_say_too_little_or_too_much_are_refused(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LagerError, match=message):
        main_or_raise(["sensitivity", *options])


def test_caches_of_other_items_are_refused(prompts, tmp_path):
    other = make_cache(tmp_path / "other", 20, first=500)
    with pytest.raises(LagerError, match="0 items are valid in all of one, other"):
        prompt_sensitivity({"one": prompts["one"], "other": other})
    with pytest.raises(LagerError, match="two or more"):
        prompt_sensitivity({"one": prompts["one"]})


def test_other_items_under_the_same_ids_are_refused_with_both_values(prompts, tmp_path):
    people = make_cache(tmp_path / "people", 60, seed=5, template="other")
    mine, theirs = prompts["one"].mean_scores, people.mean_scores
    place = next(i for i in range(60) if i != 4 and mine[i] != theirs[i])
    expected = rf"another human score, first 'item{place}' \({mine[place]:g}; {theirs[place]:g}\)"
    with pytest.raises(LagerError, match=expected):
        prompt_sensitivity({"one": prompts["one"], "people": people})
    texts = make_cache(tmp_path / "texts", 60, clusters=7, template="other")
    with pytest.raises(LagerError, match=r"another cluster, first 'item6' \(text0; text6\)"):
        prompt_sensitivity({"one": prompts["one"], "texts": texts})


def test_prompt_hashes_tell_items_apart_where_the_prompts_were_read_alike(prompts, tmp_path):
    items = make_items(60)
    writer = CacheWriter.start(tmp_path / "c", identity=identity(template="one"), item_id=items.item_id, shard_size=60)
    shard = make_shard(items)
    shard = replace(shard, prompt_sha256=np.roll(shard.prompt_sha256, 1, axis=0))
    write(writer, 0, shard, items)
    with pytest.raises(LagerError, match="59 of 59 common ids have another prompt, first 'item0'"):
        prompt_sensitivity({"one": prompts["one"], "c": writer.finalize()})


def test_human_scores_on_the_scales_of_two_caches_are_the_same(prompts, tmp_path):
    other = make_cache(tmp_path / "other", 60, template="other")
    half = replace(other, manifest={**other.manifest, "scale": Scale.parse("1-9").as_json()})
    doubled = half.items.with_columns((pl.col("scores").list.eval(2 * pl.element() - 1)).alias("scores"))
    found = prompt_sensitivity({"one": prompts["one"], "o": replace(half, items=doubled)}, ["length"], resamples=0)
    assert found.n_items == 59


def test_groups_that_an_aggregator_has_not_learnt_are_told_under_every_prompt(prompts, tmp_path):
    save_aggregator(tmp_path / "a.json", train_on_cache(prompts["one"], strategy="ridge").record)
    assert not any("intercept" in note for note in told(prompts, tmp_path))
    renamed = {
        name: replace(cache, items=cache.items.with_columns(pl.col("group").replace("criterion1", "style")))
        for name, cache in prompts.items()
    }
    said = "an intercept or mean for each group (criterion0, criterion1)"
    assert [note.partition(":")[0] for note in told(renamed, tmp_path) if said in note] == ["one", "two"]


def told(prompts, folder):
    return prompt_sensitivity(prompts, [], aggregators=[folder / "a.json"], resamples=0, force=True).notes
