"""The judge writes first: what is read is what `generate` itself would have had at that step."""

import json

import numpy as np
import pytest
import torch
from lager.data.errors import LagerError
from lager.data.tools.verify import verify_cache
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions, PromptOptions
from lager.extract.prompts.condition import choose_condition
from lager.extract.run import shard_reader
from support.extraction import run, write_items
from support.tiny_models import save_judge, tiny_tokenizer

EOS = 2


def talkative(folder, family="llama", *, labels=2.0, eos=2.0, **options):
    """A judge that likes to write labels, and to end."""
    judge = load_judge(save_judge(folder, family=family, **options), LoadOptions(device="cpu"))
    weight = judge.model.get_output_embeddings().weight.data
    weight[judge.tokenizer.convert_tokens_to_ids(list("12345"))] *= labels
    weight[EOS] *= eos
    return judge


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return talkative(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 11)


def own_generation(judge, prompt, new):
    """What transformers writes after one unpadded prompt, with every hidden state it kept."""
    ids = judge.tokenizer(prompt, return_tensors="pt")["input_ids"]
    return ids.shape[1], judge.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new, eos_token_id=EOS,
        pad_token_id=0, output_hidden_states=True, output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip


FAMILIES = ["llama", "gpt2", "opt", "mistral", "gemma2", "falcon", "mamba"]


@pytest.mark.parametrize(
    ("condition", "family"),
    [
        *(("generate", f) if f == "gemma2" else pytest.param("generate", f, marks=pytest.mark.slow) for f in FAMILIES),
        ("reasoning", "llama"),
        ("reasoning", "mistral"),
    ],
)
def test_the_read_out_is_that_of_the_same_step_of_generate(tmp_path, family, condition):
    items = write_items(tmp_path / "items.jsonl", 24)
    judge = talkative(tmp_path / "judge", family, labels=3.0 if condition == "generate" else 2.0, eos=4.0)
    new = 10 if condition == "generate" else 24
    options = {"condition": condition, "score_rule": "last", "max_new_tokens": new, "max_invalid": 1.0}
    cache = run(judge, items, tmp_path / "cache", **options)
    labels = judge.tokenizer.convert_tokens_to_ids(list("12345"))
    unembedding = judge.model.get_output_embeddings().weight[labels]
    checked = 0
    for row, line in enumerate(items.read_text().splitlines()):
        n_prompt, own = own_generation(judge, json.loads(line)["prompt"], new)
        written = own.sequences[0, n_prompt:].tolist()
        ended = EOS in written
        steps = [step for step, token in enumerate(written) if token in labels]
        if not steps or (condition == "reasoning" and not ended):
            assert not cache.valid[row]
            continue
        checked += 1
        step = steps[-1]
        states = torch.stack([state[0, -1] for state in own.hidden_states[step]])
        raw = (states @ unembedding.T).numpy()
        got = cache.logits[row]
        if family == "mamba":  # its tuple leaves out the embedding output and has the last block's raw output
            got, raw = got[[1, 2, 3]], raw[[0, 1, 3]]
        assert np.ptp(raw) > 1
        # Some are near 900, where neighbouring float32 numbers are 6e-5 apart.
        close = {"atol": 1e-4, "rtol": 5e-7}
        np.testing.assert_allclose(got, raw, **close)
        np.testing.assert_allclose(cache.logits_normed[row, -1], own.logits[step][0, labels].numpy(), **close)
        assert (cache.n_tokens[row], cache.position[row]) == (n_prompt, n_prompt + step - 1)
    assert checked >= 8


def test_texts_that_were_cut_off_or_have_no_score_are_invalid_with_a_reason(judge, items, tmp_path):
    cache = run(judge, items, tmp_path / "cache", condition="reasoning", max_new_tokens=6, max_invalid=1.0)
    reasons = set(cache.reason[~cache.valid])
    assert "the generated text was cut off after 6 tokens" in reasons
    assert reasons <= {"the generated text was cut off after 6 tokens", "the generated text has no score label"}
    assert np.isnan(cache.logits[~cache.valid]).all()
    assert (cache.position[~cache.valid] == -1).all()
    # The same tokens are read by `generate`, which is content with a text that was cut off.
    open_end = run(judge, items, tmp_path / "open", condition="generate", max_new_tokens=6, max_invalid=1.0)
    assert open_end.valid.sum() > cache.valid.sum()


def test_too_many_texts_without_a_score_stop_the_run_with_the_reasons(tmp_path, items):
    judge = talkative(tmp_path / "judge", labels=0.0, eos=0.0)
    with pytest.raises(
        LagerError, match=r"\(the generated text was cut off after 5 tokens: \d+\): look at what"
    ) as told:
        run(judge, items, tmp_path / "cache", condition="reasoning", max_new_tokens=5)
    assert "--dtype" not in str(told.value)
    with pytest.raises(LagerError, match="the generated text has no score label"):
        run(judge, items, tmp_path / "other", condition="generate", max_new_tokens=5)


def test_a_prompt_without_room_for_the_answer_does_not_count_as_failed(judge, tmp_path, capsys):
    items = write_items(tmp_path / "long.jsonl", 6, long={1})
    cache = run(judge, items, tmp_path / "cache", condition="generate", max_invalid=0.7, quiet=False)
    told = "the prompt and 10 new tokens are longer than the model's 128 tokens"
    assert cache.reason[1] == told
    assert f"1 of 6 prompts are not read: {told}" in capsys.readouterr().err


@pytest.mark.slow
def test_batches_do_not_change_what_is_written(judge, items, tmp_path):
    options = {"condition": "generate", "max_invalid": 1.0}
    one = run(judge, items, tmp_path / "one", batch_tokens=1, **options)
    many = run(judge, items, tmp_path / "many", batch_tokens=10**6, **options)
    assert one.fingerprint == many.fingerprint
    np.testing.assert_array_equal(one.position, many.position)
    np.testing.assert_allclose(one.logits, many.logits, atol=1e-4)


@pytest.mark.slow
def test_generated_text_is_stored_only_when_asked_for(judge, items, tmp_path):
    options = {"condition": "generate", "max_invalid": 1.0}
    plain = run(judge, items, tmp_path / "plain", **options)
    kept = run(judge, items, tmp_path / "kept", keep_text=True, **options)
    assert not {"text", "generated"} & set(plain.items.columns)
    assert plain.content_hash == kept.content_hash
    _, own = own_generation(judge, json.loads(items.read_text().splitlines()[2])["prompt"], 10)
    written = [int(token) for token in own.sequences[0, int(kept.n_tokens[2]) :] if token != EOS]
    assert kept.items["generated"][2] == judge.tokenizer.decode(written)
    assert kept.items["generated"][2] not in (tmp_path / "plain" / "shards" / "00000.h5").read_bytes().decode("latin1")


def test_a_nul_that_a_judge_writes_is_stored_as_its_symbol(items, tmp_path):
    judge = talkative(tmp_path / "judge")
    bias = torch.zeros(len(judge.parts.head.weight))
    bias[judge.tokenizer.convert_tokens_to_ids("Ā")] = 100.0  # the byte 0
    judge.model.lm_head.bias = torch.nn.Parameter(bias, requires_grad=False)
    options = {"condition": "generate", "max_new_tokens": 3, "max_invalid": 1.0, "keep_text": True}
    cache = run(judge, items, tmp_path / "cache", **options)
    assert set(cache.read_shard(0).optional["generated"]) == {"\u2400" * 3}
    assert verify_cache(cache.path) == []


def test_a_model_that_cannot_write_is_told_in_one_line(items, tmp_path, monkeypatch):
    judge = talkative(tmp_path / "judge")

    def generate(**_):
        raise ValueError("no cache\nat all")

    monkeypatch.setattr(judge.model, "generate", generate)
    with pytest.raises(LagerError, match=r"LlamaForCausalLM cannot write: .* raised ValueError: no cache; read"):
        run(judge, items, tmp_path / "cache", condition="generate")


def test_a_complete_cache_without_text_is_not_read_again_for_it(judge, items, tmp_path):
    options = {"condition": "generate", "max_invalid": 1.0}
    run(judge, items, tmp_path / "cache", **options)
    with pytest.raises(LagerError, match="complete, without the prompts' text"):
        run(judge, items, tmp_path / "cache", keep_text=True, **options)
    assert (tmp_path / "cache" / "manifest.json").exists()


def test_a_score_in_a_token_that_other_labels_lack_is_a_reason_of_its_own(tmp_path, items):
    judge = talkative(tmp_path / "judge", labels=0.0)
    (three,) = judge.tokenizer(" 3", add_special_tokens=False)["input_ids"]  # there is no " 4" in that vocabulary
    judge.model.get_output_embeddings().weight.data[three] *= 5.0
    cache = run(judge, items, tmp_path / "cache", condition="generate", max_invalid=1.0)
    assert "the score is written as a token that other labels lack" in set(cache.reason)


def test_an_interrupted_run_goes_on_and_ends_the_same(judge, items, tmp_path, monkeypatch):
    options = {"condition": "generate", "max_invalid": 1.0, "keep_text": True}
    whole = run(judge, items, tmp_path / "whole", **options)
    original = shard_reader.ShardReader.read

    def read(self, item_id, plan, **more):
        if item_id[0] == "q8":
            raise KeyboardInterrupt
        return original(self, item_id, plan, **more)

    with monkeypatch.context() as patch:
        patch.setattr(shard_reader.ShardReader, "read", read)
        with pytest.raises(KeyboardInterrupt):
            run(judge, items, tmp_path / "cache", **options)
        with pytest.raises(KeyboardInterrupt):
            run(judge, items, tmp_path / "plain", **{**options, "keep_text": False})
    resumed = run(judge, items, tmp_path / "cache", **options)
    assert resumed.content_hash == whole.content_hash
    assert resumed.items["generated"].to_list() == whole.items["generated"].to_list()
    with pytest.raises(LagerError, match="begun without --keep-text, and 2 shards hold no generated text"):
        run(judge, items, tmp_path / "plain", **options)


def test_condition_and_rules_are_part_of_how_a_prompt_is_read(judge, items, tmp_path):
    options = {"condition": "generate", "max_invalid": 1.0}
    cache = run(judge, items, tmp_path / "cache", **options)
    assert cache.manifest["fingerprint_inputs"]["condition"] == {
        "name": "generate", "score_rule": "last", "max_new_tokens": 10, "must_end": False, "decoding": "greedy",
        "stop_token_ids": [EOS],
    }  # fmt: skip
    for change in ({"max_new_tokens": 11}, {"score_rule": "marker"}, {"condition": "reasoning", "max_new_tokens": 10}):
        with pytest.raises(LagerError, match=r"condition\..* differ"):
            run(judge, items, tmp_path / "cache", **{**options, **change})
    direct = run(judge, items, tmp_path / "direct")
    assert direct.items_hash == cache.items_hash
    assert direct.readout_id == cache.readout_id


@pytest.mark.slow
def test_settings_that_come_with_the_checkpoint_do_not_change_greedy_text(judge, items, tmp_path):
    options = {"condition": "generate", "max_invalid": 1.0}
    before = run(judge, items, tmp_path / "before", **options)
    own = judge.model.generation_config
    own.repetition_penalty, own.do_sample, own.temperature = 1.8, True, 2.0
    try:
        after = run(judge, items, tmp_path / "after", **options)
        assert judge.model.generation_config is own
    finally:
        own.repetition_penalty, own.do_sample, own.temperature = None, None, None
    assert after.content_hash == before.content_hash


@pytest.mark.slow
def test_each_row_is_read_with_the_tokens_of_the_form_it_was_written_in(tmp_path, items, monkeypatch):
    # A vocabulary with "5" and " 5": the forms found differ between rows.
    tokenizer = tiny_tokenizer(fresh=True)
    for digit in "12345":
        tokenizer.add_tokens([f" {digit}"])
    judge = load_judge(save_judge(tmp_path / "judge", tokenizer=tokenizer, vocab_size=330), LoadOptions(device="cpu"))
    bare = judge.tokenizer.convert_tokens_to_ids(list("12345"))
    spaced = judge.tokenizer.convert_tokens_to_ids([f" {digit}" for digit in "12345"])
    weight = judge.model.get_output_embeddings().weight.data
    weight[bare] *= 1.8
    weight[spaced] *= 1.8
    cache = run(judge, items, tmp_path / "cache", condition="generate", max_invalid=1.0, keep_text=True)
    forms = cache.manifest["fingerprint_inputs"]["scale"]["token_ids_of_forms"]
    assert forms == [bare, spaced]
    form = cache.label_form[cache.valid]
    assert set(form) == {0, 1}
    for row in np.flatnonzero(cache.valid):
        n_prompt, own = own_generation(judge, json.loads(items.read_text().splitlines()[row])["prompt"], 10)
        logits = own.logits[cache.position[row] + 1 - n_prompt][0]
        np.testing.assert_allclose(cache.logits_normed[row, -1], logits[forms[cache.label_form[row]]], atol=1e-4)


def test_padding_that_changes_a_text_is_refused(judge, items, tmp_path, monkeypatch):
    forward = judge.model.forward

    def without_mask(*args, attention_mask=None, position_ids=None, **kwargs):
        return forward(*args, **kwargs)

    monkeypatch.setattr(judge.model, "forward", without_mask)
    with pytest.raises(LagerError, match=r"self-check: padding changes what LlamaForCausalLM writes.*--batch-tokens 1"):
        run(judge, items, tmp_path / "cache", condition="generate", max_invalid=1.0)
    assert not (tmp_path / "cache" / "shards").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"condition": "dream"}, "--condition 'dream': expected one of direct, generate, reasoning"),
        ({"condition": "reasoning", "score_rule": "first"}, "--score-rule 'first'"),
        ({"condition": "reasoning", "max_new_tokens": 0}, "--max-new-tokens 0"),
        ({"score_rule": "last"}, "--condition direct generates none"),
        ({"condition": "reasoning", "max_new_tokens": 200}, "all 11 prompts with 200 new tokens are longer than 128"),
    ],
)
def test_rules_that_do_not_fit_are_refused_before_anything_is_written(judge, items, tmp_path, options, told):
    with pytest.raises(LagerError, match=told):
        run(judge, items, tmp_path / "cache", **options)
    assert not (tmp_path / "cache").exists()


def test_the_paper_s_budgets_and_rules_are_the_defaults():
    reasoning, generate = (choose_condition(PromptOptions(condition=name)) for name in ("reasoning", "generate"))
    assert (reasoning.max_new_tokens, reasoning.score_rule) == (256, "marker")
    assert (generate.max_new_tokens, generate.score_rule) == (10, "last")


def test_the_reasoning_condition_brings_its_own_template(judge, tmp_path):
    items = tmp_path / "fields.jsonl"
    items.write_text(json.dumps({"response": "The fox."}) + "\n")
    options = {"max_invalid": 1.0, "keep_text": True, "truncate_field": "response", "max_field_tokens": 1}
    long = talkative(tmp_path / "judge", max_position_embeddings=1024)
    direct = run(long, items, tmp_path / "direct", **options)
    reasoned = run(long, items, tmp_path / "reasoned", condition="reasoning", max_new_tokens=5, **options)
    assert direct.items["text"][0].endswith("Score:")
    assert reasoned.items["text"][0].endswith("Feedback:")


@pytest.mark.parametrize("condition", ["direct", "generate"])
def test_sharing_prefixes_changes_nothing_but_low_bits_whatever_the_condition(tmp_path, condition):
    judge = talkative(tmp_path / "judge", max_position_embeddings=1024)
    beginning = " ".join(["the quick brown fox jumps over the lazy dog"] * 5)
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps({"prompt": f"{beginning} {'fox ' * n}"}) + "\n" for n in range(1, 13)))
    options = {"condition": condition, "max_invalid": 1.0, "shard_size": 12}
    shared = run(judge, items, tmp_path / "shared", **options)
    whole = run(judge, items, tmp_path / "whole", share_prefixes=False, **options)
    (record,) = shared.manifest["provenance"]["runs"]
    assert record["prefix_sharing"] is True
    assert record["computed_tokens"] < record["tokens"]
    assert shared.fingerprint == whole.fingerprint
    np.testing.assert_array_equal(shared.position, whole.position)
    np.testing.assert_allclose(shared.logits, whole.logits, atol=1e-4)
    # Hidden states are pooled over whole prompts, so nothing is shared where they are stored.
    pooled = run(judge, items, tmp_path / "pooled", features=["logits", "hidden"], **options)
    assert pooled.manifest["provenance"]["runs"][0]["prefix_sharing"] is False
    np.testing.assert_allclose(pooled.logits, whole.logits, atol=1e-4)
