"""`lager score --model`: items straight from a model, read as the aggregator's training items were."""

import json

import numpy as np
import polars as pl
import pytest
from lager.cli import main_or_raise
from lager.data.errors import LagerError
from lager.evaluate.score.journal import ScoreJournal
from lager.evaluate.score.score_cache import score_cache
from lager.evaluate.score.score_items import score_items
from lager.extract.options.groups import ReadOptions
from lager.extract.options.option import make
from lager.train.files.aggregator_file import load_aggregator, save_aggregator
from lager.train.training_run import train_on_cache
from support.extraction import run, write_items
from support.schemas import check_output
from support.tiny_models import save_judge


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A judge, labelled items, their cache, and new items of which one is too long."""
    folder = tmp_path_factory.mktemp("score")
    judge = save_judge(folder / "judge", num_hidden_layers=6)
    cache = run(judge, write_items(folder / "train.jsonl", 24), folder / "cache", answer_prefix="Score: ")
    write_items(folder / "new.jsonl", 11, long={4})  # the same first items
    run(judge, folder / "new.jsonl", folder / "new", answer_prefix="Score: ")
    for name in ("lager-tuned", "lager-early:3", "isotonic:lager-early:4", "lager-early:0", "e-score"):
        record = train_on_cache(cache, strategy=name).record
        save_aggregator(folder / f"{name.replace(':', '-')}.json", record)
    return folder


def score(place, aggregator, out, **options):
    say = options.pop("say", lambda line: None)
    return score_items(
        place / "judge", place / "new.jsonl", place / f"{aggregator}.json", out=out, say=say,
        **{"part": 4, **options},
    )  # fmt: skip


def table(path):
    return pl.read_parquet(path)


def test_scores_equal_those_of_a_cache_and_prompts_are_read_as_in_training(place, tmp_path):
    scored = score(place, "lager-tuned", tmp_path / "live.parquet")
    assert (scored.n_items, scored.n_valid) == (11, 10)
    assert scored.notes == [f"{scored.n_in_sample} of 11 items are among the training items"]
    from lager.data.cache.feature_cache import FeatureCache

    score_cache(FeatureCache.open(place / "new"), place / "lager-tuned.json", out=tmp_path / "cached.parquet")
    live, cached = table(tmp_path / "live.parquet"), table(tmp_path / "cached.parquet")
    assert live["id"].to_list() == cached["id"].to_list() == [f"q{i}" for i in range(11)]
    assert live["reason"].to_list() == cached["reason"].to_list()
    assert live["score"][4] is None
    assert live["reason"][4] == "the prompt is longer than the model's 128 tokens"
    for name in live.columns:
        if live[name].dtype == pl.Float64:
            np.testing.assert_allclose(live[name].to_numpy(), cached[name].to_numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("aggregator", "counts"), [("lager-early-3", {3}), ("isotonic-lager-early-4", {3, 4}), ("lager-early-0", {1})]
)
def test_an_early_one_loads_and_runs_the_first_blocks_alone_and_scores_the_same(place, tmp_path, aggregator, counts):
    from lager.data.cache.feature_cache import FeatureCache
    from lager.extract.model import judge as loading

    loaded = []
    original = loading.load_judge

    def watched(*args, **options):
        loaded.append(original(*args, **options))
        return loaded[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "load_judge", watched)
        scored = score(place, aggregator, tmp_path / "live.parquet")
    (judge,) = loaded
    n = len(judge.parts.blocks)
    assert n in counts  # a weight of the last entry in use may be zero
    assert judge.total_blocks == 6
    assert not any(f"layers.{n}." in name for name, _ in judge.model.named_parameters())
    assert f"only the first {n} of 6 blocks" in scored.notes[0]
    score_cache(FeatureCache.open(place / "new"), place / f"{aggregator}.json", out=tmp_path / "cached.parquet")
    live, cached = table(tmp_path / "live.parquet"), table(tmp_path / "cached.parquet")
    np.testing.assert_allclose(live["score"].to_numpy(), cached["score"].to_numpy(), atol=1e-5)
    assert live["score_mass"].is_null().all()
    assert not cached["score_mass"].is_null()[0]


def test_a_final_layer_or_a_generating_condition_needs_all_blocks(place, tmp_path):
    notes = score(place, "e-score", tmp_path / "a.parquet").notes
    assert not any("blocks" in note for note in notes)
    assert not table(tmp_path / "a.parquet")["score_mass"].is_null()[0]
    written = make(ReadOptions, {"condition": "generate", "max_new_tokens": 3})
    notes = score(place, "lager-early-3", tmp_path / "b.parquet", options=written).notes
    assert not any("blocks" in note for note in notes)
    assert any("read in another way" in note for note in notes)


def test_a_block_that_depends_on_how_many_there_are_is_found_and_all_are_loaded(place, tmp_path):
    from transformers.models.llama.modeling_llama import LlamaAttention

    built = LlamaAttention.__init__

    def from_the_end(self, config, layer_idx):
        built(self, config, layer_idx)
        self.shares_from_the_end = layer_idx >= config.num_hidden_layers - 2

    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LlamaAttention, "__init__", from_the_end)
        scored = score(place, "lager-early-3", tmp_path / "s.parquet", say=said.append)
    assert any("all blocks are loaded: block 1 of LlamaForCausalLM is another one" in line for line in said)
    assert not any("only the first" in note for note in scored.notes)


class KilledError(Exception):
    pass


def test_a_run_that_was_killed_goes_on_with_the_next_part(place, tmp_path, monkeypatch):
    score(place, "lager-tuned", tmp_path / "whole.jsonl")
    append = ScoreJournal.append

    def dies(self, rows, **options):
        if self.n_rows == 8:
            raise KilledError
        append(self, rows, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ScoreJournal, "append", dies)
        patch.setattr("lager.extract.run.live_reader.library_versions", lambda judge: {"torch": "1.99.0"})
        with pytest.raises(KilledError):
            score(place, "lager-tuned", tmp_path / "s.jsonl")
    assert len((tmp_path / "s.jsonl.partial").read_text().splitlines()) == 8
    with pytest.raises(LagerError, match="begun with another aggregator, model, cache or items, or other options"):
        score(place, "lager-tuned", tmp_path / "s.jsonl", options=make(ReadOptions, {"system": "Be strict."}))
    said = []
    scored = score(place, "lager-tuned", tmp_path / "s.jsonl", say=said.append)
    assert "continuing: 8 of 11 items are there" in said
    assert scored.n_valid == 10
    assert any("was begun under torch 1.99.0 and goes on under torch" in note for note in scored.notes)
    assert (tmp_path / "s.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()


def test_it_does_not_go_on_where_the_prompts_are_made_in_another_way(place, tmp_path, monkeypatch):
    template = tmp_path / "own.jinja"
    template.write_text("{{ text }} Score:")
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps({"id": f"i{n}", "text": f"the fox {n}"}) + "\n" for n in range(8)))
    options = make(ReadOptions, {"template": str(template)})

    def run_on():
        return score_items(
            place / "judge", items, place / "lager-tuned.json", out=tmp_path / "s.csv", options=options, part=4,
            say=lambda line: None,
        )  # fmt: skip

    append = ScoreJournal.append

    def dies(self, rows, **options):
        if self.n_rows:
            raise KilledError
        append(self, rows, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ScoreJournal, "append", dies)
        with pytest.raises(KilledError):
            run_on()
    template.write_text("{{ text }} How good? Score:")
    before = (tmp_path / "s.csv.partial").read_bytes()
    with pytest.raises(LagerError, match="prompts that were read in another way"):
        run_on()
    assert (tmp_path / "s.csv.partial").read_bytes() == before
    template.write_text("{{ text }} Score:")
    assert run_on().n_items == 8


def test_another_model_is_refused_unless_forced_and_another_template_is_told(place, tmp_path):
    other = save_judge(tmp_path / "other", num_hidden_layers=6, seed=5)
    arguments = ["--items", str(place / "new.jsonl"), "--aggregator", str(place / "lager-tuned.json")]
    with pytest.raises(LagerError, match=r"those of model other \(weights differ\)"):
        main_or_raise(["score", "--model", str(other), *arguments, "--out", str(tmp_path / "s.csv")])
    options = make(ReadOptions, {"answer_prefix": ""})
    notes = score(place, "lager-tuned", tmp_path / "t.csv", options=options).notes
    assert notes == [
        "prompts are read in another way than those the aggregator was fitted on: another answer_prefix of the same "
        "model"
    ]


def test_the_command_tells_what_it_wrote(place, tmp_path, capsys):
    out = tmp_path / "s.jsonl"
    main_or_raise([
        "score", "--model", str(place / "judge"), "--items", str(place / "new.jsonl"),
        "--aggregator", str(place / "lager-early-3.json"), "--out", str(out), "--json",
    ])  # fmt: skip
    told = check_output("score", capsys.readouterr().out)
    assert (told["items"], told["valid"]) == (11, 10)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert all(row["score_mass"] is None for row in rows)
    assert 1 <= rows[0]["score"] <= 5


def test_items_none_of_which_fit_are_rows_with_a_reason(place, tmp_path):
    items = write_items(tmp_path / "long.jsonl", 2, long={0, 1})
    scored = score_items(
        place / "judge", items, place / "lager-early-3.json", out=tmp_path / "s.jsonl", say=lambda line: None
    )
    assert (scored.n_items, scored.n_valid) == (2, 0)
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in rows] == ["the prompt is longer than the model's 128 tokens"] * 2


def test_the_reading_of_the_training_cache_is_in_the_file(place):
    reading = load_aggregator(place / "lager-tuned.json").reading
    assert (reading.answer_prefix, reading.condition, reading.dtype) == ("Score: ", "direct", "float32")
    assert reading.separator in {"", " "}


def test_items_of_a_large_file_are_read_part_by_part(place, tmp_path, monkeypatch):
    from lager.data import open_items
    from lager.data.items.items import RowForm

    seen, items = [], RowForm.items
    monkeypatch.setattr(open_items, "EAGER_BYTES", 10)
    monkeypatch.setattr(RowForm, "items", lambda form, rows, **at: seen.append(len(rows)) or items(form, rows, **at))
    score(place, "lager-tuned", tmp_path / "lazy.jsonl")
    assert max(seen[-3:]) == 4
    monkeypatch.undo()
    score(place, "lager-tuned", tmp_path / "whole.jsonl")
    assert (tmp_path / "lazy.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()


def test_the_group_column_reaches_group_mean(place, tmp_path):
    from lager.data.cache.feature_cache import FeatureCache

    record = train_on_cache(FeatureCache.open(place / "cache"), strategy="group-mean").record
    save_aggregator(tmp_path / "means.json", record)
    score_items(place / "judge", place / "new.jsonl", tmp_path / "means.json", out=tmp_path / "s.parquet", say=print)
    by_group = table(tmp_path / "s.parquet")["score"].drop_nulls().n_unique()
    assert by_group == 2


def test_items_without_the_group_column_are_counted_in_a_note_also_after_a_kill(place, tmp_path, monkeypatch):
    from lager.data.cache.feature_cache import FeatureCache

    record = train_on_cache(FeatureCache.open(place / "cache"), strategy="ridge").record
    save_aggregator(tmp_path / "ridge.json", record)
    rows = [json.loads(line) for line in (place / "new.jsonl").read_text().splitlines()]
    rows = [row | {"group": "g9"} if n == 9 else row for n, row in enumerate(rows)]
    for row in rows[:3]:
        del row["group"]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    append = ScoreJournal.append

    def dies(self, rows, **options):
        if self.n_rows == 8:
            raise KilledError
        append(self, rows, **options)

    def run_on():
        return score_items(
            place / "judge", tmp_path / "new.jsonl", tmp_path / "ridge.json", out=tmp_path / "s.jsonl", part=4,
            say=lambda line: None,
        )  # fmt: skip

    with monkeypatch.context() as patch:
        patch.setattr(ScoreJournal, "append", dies)
        with pytest.raises(KilledError):
            run_on()
    assert [note for note in run_on().notes if "in none of these" in note] == [
        "the aggregator has an intercept or mean for each group (g0, g1): 4 of 11 items are in none of these (they "
        "have g9), and get the mean of all; give --group"
    ]
