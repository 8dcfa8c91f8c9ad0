"""`lager.Judge`: called with what is to be judged, one item or many."""

from dataclasses import replace

import lager
import numpy as np
import pandas as pd
import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.data.open_items import load_items
from lager.evaluate.score.calibrate import calibrate
from lager.evaluate.score.score_items import score_items
from lager.train.aggregator.triage_rule import TriageRule
from lager.train.files.aggregator_file import save_aggregator
from lager.train.training_run import train_on_cache
from support.extraction import run
from support.tiny_models import save_judge

TEXTS = ["A fox.", "A dog that jumps over the lazy fox.", "Nine quick answers."]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    template = folder / "plain.jinja"
    template.write_text("Rate {{ response }} from {{ scale.lowest }} to {{ scale.highest }}.{{ instruction }}")
    model = save_judge(folder / "model")
    rows = [f'{{"id": "q{i}", "response": "{TEXTS[i % 3]} {i}", "score": {1 + i % 5}}}' for i in range(20)]
    (folder / "items.jsonl").write_text("\n".join(rows))
    cache = run(model, folder / "items.jsonl", folder / "cache", template=template)
    save_aggregator(folder / "a.json", train_on_cache(cache, strategy="lager").record)
    return folder


@pytest.fixture(scope="module")
def judge(place):
    return lager.Judge(place / "model", place / "a.json", quiet=True)


def test_it_reads_as_in_training_and_says_what_lager_score_says(place, judge, tmp_path):
    items = load_items(place / "items.jsonl")
    scores = judge.score_items([{"response": fields["response"]} for fields in items.fields])
    score_items(place / "model", place / "items.jsonl", place / "a.json", out=tmp_path / "s.parquet", say=print)
    import polars as pl

    table = pl.read_parquet(tmp_path / "s.parquet")
    np.testing.assert_allclose([float(score) for score in scores], table["score"].to_numpy(), atol=1e-5)
    np.testing.assert_allclose([score.score_mass for score in scores], table["score_mass"].to_numpy(), atol=1e-6)
    assert judge.notes == []


def test_items_come_as_any_iterable_of_mappings_or_a_frame(judge):
    rows = [{"response": text, "instruction": " Be strict."} for text in TEXTS]
    expected = judge.score_items(rows)
    for items in (pd.DataFrame(rows), pl.DataFrame(rows), iter(rows), tuple(rows)):
        assert judge.score_items(items) == expected
    assert judge.score_items(pd.DataFrame()) == judge.score_items(iter(())) == []
    for items, told in (
        (TEXTS, "item 0 is a str: expected a list of mappings"), (rows[0], "items is a dict: expected"),
        ("text", "items is a str"), (None, "items is a NoneType"), (pl.LazyFrame(rows), "items is a LazyFrame"),
        (pd.DataFrame([["x"]]), "item 0 is a mapping with names that are no text"), (pd.Series(TEXTS), "is a str"),
    ):  # fmt: skip
        with pytest.raises(LagerError, match=told):
            judge.score_items(items)


def test_one_item_gives_a_score_and_lists_give_one_each(judge):
    alone = judge.score(response=TEXTS[0])
    assert 1 <= float(alone) <= 5
    assert sum(alone.distribution.values()) == pytest.approx(1.0)
    assert (alone.valid, alone.reason) == (True, "")
    many = judge.score(response=TEXTS, instruction=" Be strict.")
    assert [type(one) for one in many] == [type(alone)] * 3
    assert float(many[0]) != float(alone)  # the instruction is part of the prompt
    each = [judge.score(response=text, instruction=" Be strict.") for text in TEXTS]
    np.testing.assert_allclose([float(one) for one in many], [float(one) for one in each], atol=1e-5)
    assert judge.score(response=[]) == []


def test_arrays_series_and_generators_give_a_score_for_each_value(judge):
    pandas = pytest.importorskip("pandas")
    expected = [float(one) for one in judge.score(response=TEXTS)]
    for values in (np.array(TEXTS), pl.Series(TEXTS), pandas.Series(TEXTS), (text for text in TEXTS)):
        np.testing.assert_allclose([float(one) for one in judge.score(response=values)], expected, atol=1e-6)
    one, none = judge.score(response=TEXTS[0], instruction=np.array(["", None], dtype=object))
    assert float(one) == pytest.approx(float(none), abs=1e-6)
    with pytest.raises(LagerError, match="item '1': response is inf"):
        judge.score(response=["A fox.", float("inf")])
    with pytest.raises(LagerError, match="expected one value, or a list"):
        judge.score(response=np.zeros((2, 2)))


def test_fields_that_the_template_leaves_out_are_told_once(place, tmp_path, capsys):
    judge = lager.Judge(place / "model", place / "a.json", quiet=True)
    for _ in range(2):
        judge.score(response=TEXTS[0], instructions="Be strict.", criterion="style", length=3)
    (note,) = judge.notes
    assert "does not hold instructions, criterion of the items" in note
    rows = '{"id": "a", "response": "A fox.", "criterion": "style", "length": 3}'
    (tmp_path / "items.jsonl").write_text(rows)
    scored = score_items(place / "model", tmp_path / "items.jsonl", place / "a.json", out=tmp_path / "s.csv", say=print)
    assert any("does not hold criterion of the items" in note for note in scored.notes)
    run(place / "model", tmp_path / "items.jsonl", tmp_path / "c", template=place / "plain.jinja", quiet=False)
    assert "does not hold criterion of the items" in capsys.readouterr().err


@pytest.fixture(scope="module")
def grouped(place):
    """An aggregator with means for two groups, and intervals."""
    rows = [
        f'{{"id": "q{i}", "response": "{TEXTS[i % 3]} {i}", "score": {1 + 2 * (i % 2)}, "group": "g{i % 2}"}}'
        for i in range(20)
    ]
    (place / "grouped.jsonl").write_text("\n".join(rows))
    (place / "other.jsonl").write_text("\n".join(row.replace('."', '!"').replace(". ", "! ") for row in rows))
    template = place / "plain.jinja"
    train, other = (
        run(place / "model", place / f"{name}.jsonl", place / f"{name}-cache", template=template)
        for name in ("grouped", "other")
    )
    return calibrate(train_on_cache(train, strategy="group-mean").record, other, levels=[0.8]).record


def test_a_group_reaches_what_was_learnt_by_group_and_without_one_there_is_no_interval(place, grouped):
    judge = lager.Judge(place / "model", grouped, quiet=True)
    known = judge.score(response=TEXTS, group=np.array(["g0", "g1", "g0"]))
    assert [float(one) for one in known] == pytest.approx([1.0, 3.0, 1.0])
    assert all(list(one.intervals) == [0.8] for one in known)
    assert float(judge.score(response=TEXTS[0], group="g1")) == pytest.approx(3.0)
    assert [float(one) for one in judge.score(response=TEXTS, group="g0")] == pytest.approx([1.0] * 3)
    assert judge.notes == []
    rows = [{"response": TEXTS[0], "group": "g1"}, {"response": TEXTS[1]}, {"response": TEXTS[2], "group": "G1"}]
    one, missing, unknown = judge.score_items(rows)
    assert (float(one), float(missing), float(unknown)) == pytest.approx((3.0, 2.0, 2.0))
    assert one.intervals is not None
    assert (missing.intervals, unknown.intervals) == (None, None)
    assert judge.notes == [
        "the aggregator has an intercept or mean for each group (g0, g1): 2 of 3 items are in none of these (they "
        "have G1), and get the mean of all and no interval; give group=..."
    ]
    judge.score(response=TEXTS[0])
    assert len(judge.notes) == 1  # told once
    with pytest.raises(LagerError, match="item '0': group is a dict, expected text or a number"):
        judge.score(response=TEXTS[0], group={"a": 1})


def test_a_group_may_stand_beside_a_prompt(place, grouped):
    judge = lager.Judge(place / "model", grouped, quiet=True)
    scores = judge.score(prompt=["Rate it.", "Rate this."], group=["g0", "g1"])
    assert [float(one) for one in scores] == pytest.approx([1.0, 3.0])
    with pytest.raises(LagerError, match="expected prompt alone, or with group"):
        judge.score(prompt="Rate it.", length=3)


def test_what_cannot_be_read_has_no_number(judge):
    long = judge.score(response="fox " * 400)
    assert (long.score, long.distribution, long.valid) == (None, None, False)
    assert "longer than the model's 128 tokens" in long.reason
    with pytest.raises(LagerError, match="no score: the prompt is longer"):
        float(long)
    mixed = judge.score(response=[TEXTS[0], "fox " * 400])
    assert [one.valid for one in mixed] == [True, False]


def test_a_prompt_and_messages_can_be_given_instead_of_fields(place):
    judge = lager.Judge(place / "model", place / "a.json", quiet=True)
    prompt = judge.score(prompt="Rate it. Score:")
    assert prompt.valid
    assert "another template" in judge.notes[0]
    assert [one.valid for one in judge.score(prompt=["Rate it.", "Rate this."])] == [True, True]


def test_another_template_can_be_named_and_the_first_blocks_suffice(place, tmp_path):
    from lager.data.cache.feature_cache import FeatureCache

    early = train_on_cache(FeatureCache.open(place / "cache"), strategy="lager-early:1").record
    judge = lager.Judge(place / "model", early, template="direct", quiet=True)
    score = judge.score(instruction="Say something.", response=TEXTS[0])
    assert score.score_mass is None
    assert "only the first 1 of 3 blocks" in judge.notes[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "nothing to score"),
        ({"response": ["a", "b"], "instruction": ["c"]}, r"differ in length \(response has 2, instruction has 1\)"),
        ({"answer": "a"}, "needs response, which the item lacks"),
    ],
)
def test_what_is_wrong_with_a_call_is_told(judge, fields, message):
    with pytest.raises(LagerError, match=message):
        judge.score(**fields)


def test_an_unknown_option_and_another_model_are_refused(place, tmp_path):
    with pytest.raises(TypeError, match="no option colour"):
        lager.Judge(place / "model", place / "a.json", colour="red")
    other = save_judge(tmp_path / "other", seed=9)
    with pytest.raises(LagerError, match=r"fitted on other read-outs than those of model other \(weights differ\)"):
        lager.Judge(other, place / "a.json", quiet=True)
    with pytest.raises(LagerError, match="expected a file of lager train, or a fitted estimator"):
        lager.Judge(place / "model", 5, quiet=True)


def test_the_reward_function_of_the_docs_takes_texts_and_messages(judge, repository):
    page = (repository / "docs" / "score.md").read_text()
    function = page[page.index("def judged(prompts") : page.index("trainer = GRPOTrainer")]
    names = {"judge": judge}
    exec(function, names)
    texts = names["judged"]([""] * 2, [TEXTS[0], "fox " * 400])
    assert texts == [pytest.approx(float(judge.score(instruction="", response=TEXTS[0]))), None]
    messages = [[{"role": "user", "content": ""}]], [[{"role": "assistant", "content": TEXTS[0]}]]
    assert names["judged"](*messages) == pytest.approx(texts[:1], abs=1e-5)


def test_with_a_triage_rule_it_says_who_decides(place, grouped):
    scale = grouped.aggregator.scale
    of = (scale, 20, 20, "r", "f", "i")
    rule = TriageRule(0.0, (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0), 1.0, 0.1, 0.9, "errors", *of)
    judge = lager.Judge(place / "model", replace(grouped, triage=replace(rule, threshold=50.0)), quiet=True)
    decisions = [one.decision for one in judge.score(response=TEXTS, group=["g0", None, "G1"])]
    assert decisions == ["judge", "human", "human"]  # of no group that was learnt
    strict = lager.Judge(place / "model", replace(grouped, triage=rule), quiet=True)
    assert strict.score(response=TEXTS[0], group="g0").decision == "human"  # the doubt is the log of the length
    assert lager.Judge(place / "model", grouped, quiet=True).score(response=TEXTS[0], group="g0").decision is None
