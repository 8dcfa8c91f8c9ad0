"""The whole stage on tiny judges: what is cached, what is resumed, what is refused."""

import json

import numpy as np
import pytest
import torch
from lager.data.errors import LagerError
from lager.extract.extractor import extract_features
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from support.extraction import run, write_items
from support.tiny_models import CHAT_TEMPLATE, save_judge, tiny_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_judge(tmp_path_factory.mktemp("judge"), tokenizer=tiny_tokenizer(chat_template=CHAT_TEMPLATE))


@pytest.fixture(scope="module")
def judge(folder):
    return load_judge(folder, LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 11)


def test_the_cache_holds_the_models_own_logits(judge, items, tmp_path):
    cache = run(judge, items, tmp_path / "cache")
    assert (cache.n_items, cache.n_layers, cache.logits.shape) == (11, 3, (11, 4, 5))
    assert cache.valid.all()
    prompt = json.loads(items.read_text().splitlines()[6])["prompt"]
    ids = judge.tokenizer(f"<s><|user|>{prompt}\n<|assistant|>", add_special_tokens=False, return_tensors="pt")[
        "input_ids"
    ]
    with torch.inference_mode():
        own = judge.model(ids).logits[0, -1].numpy()
    labels = cache.manifest["fingerprint_inputs"]["scale"]["token_ids"]
    assert judge.tokenizer.convert_ids_to_tokens(labels) == list("12345")
    np.testing.assert_allclose(cache.logits_normed[6, -1], own[labels], atol=1e-4)
    np.testing.assert_allclose(cache.logsumexp[6], np.log(np.exp(own).sum()), atol=1e-4)
    assert (cache.n_tokens[6], cache.position[6]) == (ids.shape[1], ids.shape[1] - 1)
    assert list(cache.item_id) == [f"q{i}" for i in range(11)]
    assert cache.scores[3] == [4.0, 3.0]


@pytest.mark.slow
def test_batches_change_nothing_but_low_bits(judge, items, tmp_path):
    one = run(judge, items, tmp_path / "one", batch_tokens=1)
    many = run(judge, items, tmp_path / "many", batch_tokens=10**6)
    assert one.fingerprint == many.fingerprint
    assert one.items_hash == many.items_hash
    np.testing.assert_allclose(one.logits, many.logits, atol=1e-4)
    np.testing.assert_allclose(one.logits_normed, many.logits_normed, atol=1e-4)


def test_the_same_run_twice_has_the_same_content(judge, folder, items, tmp_path):
    first = run(judge, items, tmp_path / "first")
    second = run(folder, items, tmp_path / "second", device="cpu")
    assert (first.content_hash, first.fingerprint) == (second.content_hash, second.fingerprint)


def test_prompts_past_the_context_are_told_and_kept_as_rows_without_a_score(judge, tmp_path, capsys):
    items = write_items(tmp_path / "long.jsonl", 6, long={1, 4})
    cache = run(judge, items, tmp_path / "cache", quiet=False, max_invalid=0.0)
    assert "2 of 6 prompts are longer than the model's 128 tokens" in capsys.readouterr().err
    assert list(np.flatnonzero(~cache.valid)) == [1, 4]
    assert cache.reason[1] == "the prompt is longer than the model's 128 tokens"
    assert np.isnan(cache.logits[1]).all()
    assert cache.n_tokens[1] > 128
    assert cache.position[1] == -1
    short = run(judge, items, tmp_path / "cut", truncate_field="prompt", max_field_tokens=20)
    assert short.valid.all()
    assert short.fingerprint != cache.fingerprint


def test_when_no_prompt_fits_nothing_is_written(judge, tmp_path):
    items = write_items(tmp_path / "long.jsonl", 2, long={0, 1})
    with pytest.raises(LagerError, match="all 2 prompts are longer"):
        run(judge, items, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def broken(folder):
    """A judge that overflows on the token of "dog"."""
    judge = load_judge(folder, LoadOptions(device="cpu"))
    (token,) = set(judge.tokenizer("\u0120dog", add_special_tokens=False)["input_ids"][-1:])
    judge.model.get_input_embeddings().weight.data[token] = torch.inf
    return judge


def test_rows_that_are_not_finite_are_invalid_and_too_many_stop_the_run(broken, items, tmp_path):
    text = items.read_text()
    cache = run(broken, items, tmp_path / "cache", max_invalid=1.0)
    bad = np.flatnonzero(~cache.valid)
    assert 0 < len(bad) < 11
    assert set(cache.reason[bad]) == {"the read-out is not finite"}
    assert text == items.read_text()
    for _ in range(2):  # the second time from the shards of the first
        with pytest.raises(LagerError, match=r"items failed, more than --max-invalid 0 allows \(the read-out is not"):
            run(broken, items, tmp_path / "stopped", max_invalid=0.0, shard_size=100)


def test_a_failed_self_check_writes_no_shard(judge, items, tmp_path, monkeypatch):
    head = judge.parts.head
    wrong = judge.parts._replace(head=head._replace(scale=2.0))
    changed = type(judge)(judge.model, judge.tokenizer, wrong, judge.checkpoint)
    with pytest.raises(LagerError, match="self-check"):
        run(changed, items, tmp_path / "cache")
    assert not (tmp_path / "cache" / "shards").exists()


def test_a_draw_is_seeded_and_keeps_the_order(judge, items, tmp_path):
    first = run(judge, items, tmp_path / "a", limit=5, seed=1)
    again = run(judge, items, tmp_path / "b", limit=5, seed=1)
    other = run(judge, items, tmp_path / "c", limit=5, seed=2)
    ids = [int(name[1:]) for name in first.item_id]
    assert ids == sorted(ids)
    assert len(ids) == 5
    assert first.items_hash == again.items_hash != other.items_hash


def test_text_is_stored_only_when_asked_for(judge, items, tmp_path):
    prompt = json.loads(items.read_text().splitlines()[3])["prompt"]
    assert "text" not in run(judge, items, tmp_path / "a").items.columns
    for file in (tmp_path / "a").rglob("*.json"):
        assert prompt not in file.read_text()
    with pytest.raises(LagerError, match="without the prompts' text"):
        run(judge, items, tmp_path / "a", keep_text=True)
    assert run(judge, items, tmp_path / "b", keep_text=True).items["text"][3] == f"<s><|user|>{prompt}\n<|assistant|>"


def test_a_private_cache_hides_the_hashes_of_its_prompts(judge, items, tmp_path):
    plain = run(judge, items, tmp_path / "plain")
    private = run(judge, items, tmp_path / "private", private=True)
    assert not (plain.prompt_sha256 == private.prompt_sha256).all(axis=1).any()
    np.testing.assert_array_equal(plain.logits, private.logits)


def test_human_scores_are_mapped_onto_the_scale_or_refused(judge, items, tmp_path):
    with pytest.raises(LagerError, match="lie outside 0-1"):
        run(judge, items, tmp_path / "cache", scale="yes=1,no=0")
    cache = run(judge, items, tmp_path / "cache", scale="A=1,B=0", human_range=(1, 5))
    assert cache.scores[1] == [0.25, 0.5]


def test_items_without_labels_are_read_all_the_same(judge, tmp_path):
    (tmp_path / "items.jsonl").write_text('{"prompt": "the fox"}\n{"prompt": "the dog"}\n')
    cache = run(judge, tmp_path / "items.jsonl", tmp_path / "cache")
    assert cache.valid.all()
    assert cache.scores == [[], []]
    assert list(cache.item_id) == ["0", "1"]


def test_an_empty_prompt_is_a_row_without_a_score(tmp_path):
    from tokenizers import processors

    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel()
    judge = load_judge(save_judge(tmp_path / "judge", tokenizer=tokenizer), LoadOptions(device="cpu"))
    (tmp_path / "items.jsonl").write_text('{"prompt": "the fox"}\n{"prompt": "x"}\n')
    options = {"truncate_field": "prompt", "max_field_tokens": 0}
    cache = run(judge, tmp_path / "items.jsonl", tmp_path / "cache", **options)
    assert set(cache.reason) == {"the prompt is empty"}
    assert not cache.valid.any()


def test_a_low_score_mass_is_told(judge, items, tmp_path, capsys):
    cache = run(judge, items, tmp_path / "cache", quiet=False)
    told = capsys.readouterr().err
    mass = float(np.median(cache.score_mass))
    assert mass < 0.5
    assert f"score mass: median {mass:.3f}" in told
    assert "warning: at the read-out the model gives the score labels" in told
    assert "score tokens ['1', '2', '3', '4', '5']: separator ''" in told


def test_the_separator_with_more_score_mass_is_taken(folder, tmp_path):
    tokenizer = tiny_tokenizer(boundary=True)
    judge = load_judge(save_judge(tmp_path / "judge", tokenizer=tokenizer), LoadOptions(device="cpu"))
    items = write_items(tmp_path / "items.jsonl", 4)
    prompt = tokenizer(json.loads(items.read_text().splitlines()[0])["prompt"])["input_ids"]
    boundary = tokenizer.convert_tokens_to_ids("▁")
    with torch.inference_mode():
        states = judge.model.model(torch.tensor([[*prompt, boundary]])).last_hidden_state[0]
    towards = 0.2 * (states[-1] - states[-2])  # high after the word-boundary piece, low before it
    chosen = {}
    for name, direction in (("towards", 1.0), ("away", -1.0)):
        judge.model.lm_head.weight.data[tokenizer.convert_tokens_to_ids(list("12345"))] = direction * towards
        cache = extract_features(judge, items, cache=tmp_path / name, quiet=True)
        chosen[name] = cache.manifest["fingerprint_inputs"]["scale"]
    assert chosen["towards"]["separator"] == " "
    assert chosen["towards"]["prefix_token_ids"] == [boundary]
    assert chosen["away"]["separator"] == ""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_invalid": 1.5}, "--max-invalid 1.5"),
        ({"limit": 0}, "--limit 0"),
        ({"batch_tokens": 0}, "--batch-tokens 0"),
        ({"scale": "1-10"}, "'10' is"),
        ({"template": "direct"}, "--template direct: the items come as prompt"),
    ],
)
def test_an_option_out_of_range_is_refused_before_anything_is_written(judge, items, tmp_path, options, told):
    with pytest.raises(LagerError, match=told):
        run(judge, items, tmp_path / "cache", **options)
    assert not (tmp_path / "cache").exists()


def test_a_folder_with_other_things_in_it_is_left_alone(folder, items, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thesis.txt").write_text("mine")
    with pytest.raises(LagerError, match="exists and is not a feature cache"):
        run(folder, items, tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["thesis.txt"]


def test_provenance_says_where_when_and_how_much(judge, items, tmp_path):
    cache = run(judge, items, tmp_path / "cache")
    (record,) = cache.manifest["provenance"]["runs"]
    assert record["devices"] == ["cpu"]
    assert record["tokens"] == int(cache.n_tokens.sum())
    assert record["device_seconds"] > 0
    assert cache.manifest["recorded"]["versions"]["torch"] == torch.__version__
    assert cache.manifest["recorded"]["modules"]["layers"] == "model.layers"


def test_a_cache_names_the_model_and_not_the_folders_around_it(folder, items, tmp_path, monkeypatch):
    cache = run(folder, items, tmp_path / "cache", device="cpu")
    assert cache.manifest["recorded"]["model"] == folder.name
    for file in (tmp_path / "cache").rglob("*.json"):
        assert str(folder.parent) not in file.read_text()
    monkeypatch.chdir(folder)
    here = run(".", items, tmp_path / "here", device="cpu")
    assert here.manifest["recorded"]["model"] == folder.name
    assert here.fingerprint == cache.fingerprint


@pytest.mark.shared
def test_a_real_pretrained_model_is_read(shared, tmp_path):
    items = write_items(tmp_path / "items.jsonl", 12)
    cache = extract_features(
        shared / "models" / "stories260k",
        items,
        cache=tmp_path / "cache",
        answer_prefix=" Score:",
        device="cpu",
        quiet=True,
    )
    inputs = cache.manifest["fingerprint_inputs"]
    assert cache.valid.all()
    assert cache.logits.shape == (12, 6, 5)
    assert inputs["prompt"]["chat_template"] is None
    np.testing.assert_allclose(cache.logits[:, -1], cache.logits_normed[:, -1], atol=1e-5)
    assert 0 < np.median(cache.score_mass) < 1
