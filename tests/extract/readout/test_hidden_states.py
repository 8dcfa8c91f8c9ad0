"""Pooled hidden states equal those that transformers keeps, and come back from the cache to half precision."""

import json

import h5py
import numpy as np
import pytest
import torch
from lager.data.errors import LagerError
from lager.data.tools.verify import verify_cache
from lager.extract.model.judge import load_judge
from lager.extract.model.parts import find_parts
from lager.extract.options.groups import LoadOptions
from lager.extract.prompts.inputs import POOLINGS, check_features
from lager.extract.readout.hidden_states import pool, read_hidden_batch
from lager.extract.readout.readout import read_batch
from support.extraction import run, write_items
from support.tiny_models import random_prompts, save_judge, tiny_model

LABELS = [40, 90, 140]
REDUCE = {"mean": np.mean, "min": np.min, "max": np.max}


def own_states(model, prompt):
    """Return the hidden states of one unpadded prompt, shape (n_layers + 1, n_tokens, d)."""
    with torch.inference_mode():
        output = model(input_ids=torch.tensor(prompt)[None].long(), use_cache=False, output_hidden_states=True)
    return np.stack([state[0].float().numpy() for state in output.hidden_states])


def pooled(states, pooling, n_prompt):
    return states[:, -1] if pooling == "last" else REDUCE[pooling](states[:, :n_prompt], axis=1)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "mistral", "opt", "qwen3_moe"])
def test_pooling_is_over_the_true_positions_of_the_prompt(family):
    model = tiny_model(family)
    parts = find_parts(model)
    prompts, n_prompt = random_prompts([40, 13, 27]), [40, 9, 20]
    readout, hidden = read_hidden_batch(parts, prompts, LABELS, n_prompt=n_prompt, poolings=POOLINGS, pad_id=7)
    plain = read_batch(parts, prompts, LABELS, pad_id=7)
    for ours, other in zip(readout, plain, strict=True):
        np.testing.assert_allclose(ours, other, atol=1e-5)
    for row, prompt in enumerate(prompts):
        states = own_states(model, prompt)
        for pooling in POOLINGS:
            expected = pooled(states, pooling, n_prompt[row])
            stored = hidden[pooling]
            got = stored.states[row].astype(np.float32) * stored.scale[row][:, None]
            np.testing.assert_allclose(stored.scale[row], np.abs(expected).max(axis=1), rtol=1e-4)
            np.testing.assert_allclose(
                got / stored.scale[row][:, None], expected / stored.scale[row][:, None], atol=6e-4
            )


def test_a_state_of_zeros_is_stored_as_such():
    zeros = pool(torch.zeros(2, 5, 3), torch.tensor([5, 2]), "mean")
    assert not zeros.any()


def test_padding_and_low_precision_do_not_enter_a_mean():
    hidden = torch.full((1, 3000, 2), 1.01, dtype=torch.bfloat16)
    hidden[:, 2000:] = 1e30
    mean = pool(hidden, torch.tensor([2000]), "mean")
    # Summed in bfloat16 the mean would stop growing at 256 tokens.
    torch.testing.assert_close(mean, torch.full((1, 2), float(hidden[0, 0, 0])), rtol=1e-5, atol=0)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return load_judge(save_judge(tmp_path_factory.mktemp("judge")), LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 6, long={1})


def test_the_cache_gives_back_the_states_of_every_layer(judge, items, tmp_path, capsys):
    options = {"features": ["logits", "hidden"], "pooling": ["max", "mean", "last"], "quiet": False}
    cache = run(judge, items, tmp_path / "cache", **options)
    assert "hidden states (mean, last, max): " in capsys.readouterr().err
    assert cache.poolings == ("last", "max", "mean")
    prompts = [json.loads(line)["prompt"] for line in items.read_text().splitlines()]
    for pooling in cache.poolings:
        hidden = cache.hidden(pooling)
        assert (hidden.shape, hidden.dtype) == ((6, 4, 32), np.float32)
        assert np.isnan(hidden[1]).all()
        for row in (0, 2, 5):
            states = own_states(judge.model, judge.tokenizer(prompts[row])["input_ids"])
            expected = pooled(states, pooling, states.shape[1])
            np.testing.assert_allclose(hidden[row], expected, atol=6e-4 * np.abs(expected).max())
    assert verify_cache(cache.path) == []
    # The last entry is the state behind the logits.
    head = judge.parts.head.weight[cache.manifest["fingerprint_inputs"]["scale"]["token_ids"]].numpy()
    rows = cache.valid
    np.testing.assert_allclose(cache.hidden("last")[rows, -1] @ head.T, cache.logits[rows, -1], atol=0.05)


def test_they_are_part_of_the_content_and_leave_the_read_outs_alone(judge, items, tmp_path):
    plain = run(judge, items, tmp_path / "plain")
    one = run(judge, items, tmp_path / "one", features=["logits", "hidden"])
    again = run(judge, items, tmp_path / "again", features=["logits", "hidden"])
    other = run(judge, items, tmp_path / "other", features=["logits", "hidden"], pooling=["mean"])
    np.testing.assert_allclose(plain.logits, one.logits, atol=1e-5)
    assert plain.readout_id == one.readout_id
    assert one.content_hash == again.content_hash
    assert len({plain.content_hash, one.content_hash, other.content_hash}) == 3
    assert len({plain.fingerprint, one.fingerprint, other.fingerprint}) == 3
    with pytest.raises(LagerError, match=r"hidden differ"):
        run(judge, items, tmp_path / "plain", features=["logits", "hidden"])


def test_what_is_not_stored_is_told_with_the_option_that_stores_it(judge, items, tmp_path):
    plain = run(judge, items, tmp_path / "plain")
    assert plain.poolings == ()
    with pytest.raises(LagerError, match="holds no hidden states, not 'last': extract with --features logits,hidden"):
        plain.hidden()
    last = run(judge, items, tmp_path / "last", features=["logits", "hidden"])
    with pytest.raises(LagerError, match=r"holds last hidden states, not 'mean'.*--pooling mean"):
        last.hidden("mean")


def test_a_changed_state_is_noticed(judge, items, tmp_path):
    run(judge, items, tmp_path / "cache", features=["logits", "hidden"])
    shard = tmp_path / "cache" / "shards" / "00001.h5"
    with h5py.File(shard, "r+") as file:
        file["hidden_last"][0, 0, 0] += 0.5
    # A shard whose content is not what it says of itself is read again.
    again = run(judge, items, tmp_path / "cache", features=["logits", "hidden"])
    whole = run(judge, items, tmp_path / "whole", features=["logits", "hidden"])
    assert again.content_hash == whole.content_hash


def test_with_generated_text_the_pooling_is_still_over_the_prompt(judge, tmp_path):
    items = write_items(tmp_path / "short.jsonl", 8)
    judge.model.lm_head.weight.data[judge.tokenizer.convert_tokens_to_ids(list("12345"))] *= 2.0
    options = {"condition": "generate", "max_invalid": 1.0, "features": ["logits", "hidden"]}
    try:
        cache = run(judge, items, tmp_path / "cache", pooling=["mean", "last"], **options)
    finally:
        judge.model.lm_head.weight.data[judge.tokenizer.convert_tokens_to_ids(list("12345"))] /= 2.0
    row = int(np.flatnonzero(cache.valid & (cache.position >= cache.n_tokens))[0])
    prompt = json.loads(items.read_text().splitlines()[row])["prompt"]
    states = own_states(judge.model, judge.tokenizer(prompt)["input_ids"])
    np.testing.assert_allclose(cache.hidden("mean")[row], states.mean(axis=1), atol=2e-3)
    assert np.abs(cache.hidden("last")[row] - states[:, -1]).max() > 0.1


def test_a_model_whose_entries_differ_in_width_is_refused(tmp_path, items):
    judge = load_judge(save_judge(tmp_path / "judge", family="opt", word_embed_proj_dim=16), LoadOptions(device="cpu"))
    with pytest.raises(LagerError, match="project_out maps the states to another width"):
        run(judge, items, tmp_path / "cache", features=["logits", "hidden"])
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("features", "pooling", "told"),
    [
        (["hidden"], None, "--features hidden: expected logits, or logits,hidden"),
        (["logits", "attention"], None, "--features logits,attention"),
        (["logits"], ["mean"], "--pooling is about hidden states"),
        (["logits", "hidden"], ["median"], "--pooling median: expected some of mean,last,min,max"),
    ],
)
def test_names_that_are_unknown_or_do_not_go_together_are_refused(features, pooling, told):
    with pytest.raises(LagerError, match=told):
        check_features(features, pooling)
