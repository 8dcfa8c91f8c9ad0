"""`lager triage`, and who decides in the files of `lager score` then."""

import json

import numpy as np
import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.evaluate.evaluation.file_evaluation import evaluate_score_files
from lager.evaluate.report.decided_alone import decided_alone
from lager.evaluate.score.score_cache import score_cache
from lager.evaluate.triage.cache_triage import triage_aggregator
from lager.evaluate.triage.wanted import Wanted
from lager.train.files.aggregator_file import load_aggregator, save_aggregator
from lager.train.training_run import train_on_cache
from support.caches import make_cache
from support.commands import run_command


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    save_aggregator(folder / "a.json", train_on_cache(make_cache(folder / "train", 60, seed=1)).record)
    return folder / "a.json"


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """Other items, which share no prompt with the training items."""
    folder = tmp_path_factory.mktemp("held-out")
    return make_cache(folder / "cache", 600, seed=2, first=1000, shard_size=600, clusters=300, invalid=frozenset({3}))


def test_the_threshold_is_kept_in_the_aggregator_and_scores_say_who_decides(trained, held_out, tmp_path, capsys):
    code, out, err = run_command(capsys, "triage", held_out.path, "--aggregator", trained, "--save",
                                 tmp_path / "b.json", "--error", "0.5", "--json")  # fmt: skip
    assert code == 0
    assert f"written: {tmp_path / 'b.json'}" in err
    told = json.loads(out)["judges"][0]
    assert (told["verdict"], told["doubt"], told["error"]) == ("FOUND", "deviation", 0.5)
    rule = load_aggregator(tmp_path / "b.json").triage
    assert (rule.threshold, rule.n, rule.n_clusters) == (told["threshold"], told["n"], told["n_clusters"])
    for name in ("s.parquet", "s.csv", "s.jsonl"):
        score_cache(held_out, tmp_path / "b.json", out=tmp_path / name)
    table = pl.read_parquet(tmp_path / "s.parquet")
    assert table.columns[:3] == ["id", "score", "decision"]
    assert set(table["decision"]) <= {"judge", "human"}
    proba = table.filter("valid").select(pl.col("^p_.*$")).to_numpy()
    values = np.arange(1.0, 6.0)
    deviation = np.sqrt(proba @ values**2 - (proba @ values) ** 2)
    assert ((table.filter("valid")["decision"] == "judge").to_numpy() == (deviation <= rule.threshold)).all()
    assert 0 < (table["decision"] == "judge").sum() <= 599
    assert table.row(3, named=True)["decision"] == "human"  # it has no score
    assert pl.read_csv(tmp_path / "s.csv")["decision"].to_list() == table["decision"].to_list()
    first = json.loads((tmp_path / "s.jsonl").read_text().splitlines()[0])
    assert first["decision"] == table["decision"][0]


def test_where_no_threshold_is_found_nothing_is_kept_and_the_labels_that_would_are_told(
    trained, held_out, tmp_path, capsys
):
    code, out, _ = run_command(capsys, "triage", held_out.path, "--aggregator", trained, "--save",
                               tmp_path / "b.json", "--error", "0.05")  # fmt: skip
    assert code == 4
    assert "INCONCLUSIVE" in out
    assert not (tmp_path / "b.json").exists()


def test_training_items_do_not_calibrate(trained, tmp_path, capsys):
    code, _, err = run_command(capsys, "triage", trained.parent / "train", "--aggregator", trained)
    assert code == 1
    assert "60 of 60 labelled items" in err
    assert "training items, on which its errors are too small" in err


def test_learnt_doubt_takes_half_of_the_clusters_and_is_told(trained, held_out):
    found = triage_aggregator(load_aggregator(trained), held_out, Wanted(error=0.5), learn=True).found
    assert found.learnt.n + found.result.n == 599
    assert found.learnt.n == pytest.approx(300, abs=10)
    assert found.result.set_apart == 0  # the other half says where thresholds lie
    assert found.doubt == ("learnt" if found.learnt.helps else "deviation")
    told = found.as_json()["learnt"]
    assert set(told["coefficients"]) >= {"intercept", "deviation", "layer spread", "score mass", "length"}


def test_learnt_doubt_is_applied_as_it_was_calibrated(trained, held_out, tmp_path, monkeypatch):
    monkeypatch.setattr("lager.evaluate.triage.learnt_doubt.LearntDoubt.helps", True)
    run = triage_aggregator(load_aggregator(trained), held_out, Wanted(error=0.5, risk=0.3), learn=True)
    assert run.record.triage.coefficients == run.found.learnt.coefficients
    save_aggregator(tmp_path / "b.json", run.record)
    score_cache(held_out, tmp_path / "b.json", out=tmp_path / "s.parquet")
    alone = (pl.read_parquet(tmp_path / "s.parquet")["decision"] == "judge").mean()
    assert alone == pytest.approx(run.found.result.chosen.share, abs=0.06)


def test_strategies_are_scored_out_of_fold(held_out, capsys):
    code, out, _ = run_command(capsys, "triage", held_out.path, "--strategy", "lager", "--strategy", "lager-tuned",
                               "--strategy", "length", "--folds", "3", "--risk", "0.35", "--json")  # fmt: skip
    told = json.loads(out)
    assert code in {0, 4}
    assert [one["judge"] for one in told["judges"]] == ["lager", "lager-tuned"]
    assert told["without"] == {"length": "its numbers are no scores on the scale"}


def files(folder, n=400, judges=2):
    rng = np.random.default_rng(0)
    doubt = rng.uniform(size=n)
    human = rng.integers(1, 6, size=n).astype(float)
    table = {"id": [f"i{i}" for i in range(n)], "score": human, "cluster": [f"c{i // 2}" for i in range(n)]}
    pl.DataFrame(table).write_csv(folder / "human.csv")
    scores = {f"judge{k}": human + 3 * doubt * (rng.uniform(size=n) < 0.4 * doubt) for k in range(judges)}
    pl.DataFrame({"id": table["id"], **scores, "doubt": doubt}).write_csv(folder / "judges.csv")
    return folder / "human.csv", folder / "judges.csv"


def test_judges_of_files_have_the_spread_over_them_or_a_column_as_doubt(tmp_path, capsys):
    human, judges = files(tmp_path)
    both = ["triage", "--scores", human, "--external", f"{judges}:judge0", "--external", f"{judges}:judge1"]
    code, out, _ = run_command(capsys, *both, "--json", "--risk", "0.2")
    assert code in {0, 4}
    assert {one["doubt"] for one in json.loads(out)["judges"]} == {"spread over judges"}
    code, out, _ = run_command(capsys, *both, "--doubt", f"{judges}:doubt", "--risk", "0.2")
    assert code == 0
    assert "FOUND" in out
    assert "doubt: doubt" in out
    code, _, err = run_command(capsys, *both[:5])
    assert code == 1
    assert "no doubt is known of it" in err


def test_a_yes_or_no_is_wrong_or_right(tmp_path, capsys):
    human = [0, 1, 1, 0] * 100
    score = [0.2, 0.9, 0.4, 0.1] * 100
    ids = [f"i{i}" for i in range(400)]
    pl.DataFrame({"id": ids, "score": human}).write_csv(tmp_path / "h.csv")
    pl.DataFrame({"id": ids, "j": score, "d": [0.1, 0.1, 0.9, 0.1] * 100}).write_csv(tmp_path / "j.csv")
    code, out, _ = run_command(capsys, "triage", "--scores", tmp_path / "h.csv", "--external", f"{tmp_path}/j.csv:j",
                               "--doubt", f"{tmp_path}/j.csv:d", "--scale", "0-1", "--json")  # fmt: skip
    told = json.loads(out)["judges"][0]
    assert (code, told["large_error"], told["threshold"]) == (0, "a wrong yes or no", 0.1)
    assert told["chosen"]["share"] == pytest.approx(0.75, abs=0.02)


def judged(folder, human, score):
    ids = [f"i{i}" for i in range(len(human))]
    table = {"id": ids, "score": human, "j": score, "d": np.linspace(0, 1, len(human))}
    pl.DataFrame(table).write_csv(folder / "t.csv")
    return ["triage", "--scores", folder / "t.csv", "--external", f"{folder}/t.csv:j", "--doubt", f"{folder}/t.csv:d"]


@pytest.mark.parametrize("human", [[0, 1], [1, 1]])
def test_labels_of_0_and_1_without_a_scale_are_a_yes_or_no(tmp_path, capsys, human):
    wrong = judged(tmp_path, human * 200, [0.9 - 0.8 * one for one in human] * 200)
    code, out, _ = run_command(capsys, *wrong, "--json")
    told = json.loads(out)["judges"][0]
    assert (code, told["large_error"], told["threshold"]) == (4, "a wrong yes or no", None)
    assert run_command(capsys, *judged(tmp_path, human * 200, human * 200))[0] == 0


@pytest.mark.parametrize(
    ("human", "options", "message"),
    [
        ([0.2, 0.9], [], "error 1: no error"),
        ([1.0, 5.0], ["--error", "50"], "range of labels and scores, 1 to 5"),
        ([1.0, 5.0], ["--error", "4", "--scale", "1-5"], "range of the scale, 1 to 5"),
        ([0, 1], ["--error", "1"], "error 1: no error"),
    ],
)
def test_an_error_that_cannot_occur_is_refused(tmp_path, capsys, human, options, message):
    code, _, err = run_command(capsys, *judged(tmp_path, human * 20, human[::-1] * 20), *options)
    assert code == 1
    assert message in err
    assert "state --error as a smaller distance" in err


def test_the_report_has_no_table_of_it_where_the_default_error_cannot_occur(tmp_path):
    judged(tmp_path, [0.2, 0.9] * 20, [0.9, 0.2] * 20)
    external = [f"{tmp_path}/t.csv:{column}" for column in ("j", "d")]
    assert decided_alone(evaluate_score_files(tmp_path / "t.csv", external, resamples=0)) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--aggregator", "a.json"], "--aggregator needs a CACHE"),
        (["cache", "--save", "b.json"], "--save keeps the threshold of one aggregator"),
        (["--learn", "--scores", "h.csv"], "--learn learns the doubt of an aggregator"),
        (["cache", "--scale", "1-5"], "a cache has its own scale"),
        (["cache", "--aggregator", "a.json", "--doubt", "j.csv:d"], "an aggregator's doubt is its own"),
        ([], "there is nothing to decide"),
    ],
)
def test_options_that_contradict_each_other_are_refused(capsys, arguments, message):
    code, _, err = run_command(capsys, "triage", *arguments)
    assert code == 1
    assert message in err


def test_a_threshold_is_not_applied_on_another_scale_and_doubted_on_other_prompts(trained, held_out, tmp_path):
    record = triage_aggregator(load_aggregator(trained), held_out, Wanted(risk=0.3)).record
    save_aggregator(tmp_path / "b.json", record)
    other = make_cache(tmp_path / "other", 20, first=3000, template="another")
    notes = score_cache(other, tmp_path / "b.json", out=tmp_path / "s.csv").notes
    assert any("their risk is not known here" in note for note in notes)


def test_an_aggregator_without_scores_is_refused(held_out, tmp_path):
    lengths = train_on_cache(make_cache(tmp_path / "t", 20), strategy="length").record
    with pytest.raises(LagerError, match="whose numbers are no scores"):
        triage_aggregator(lengths, held_out, Wanted())
