"""What a model is read by is found, or one line says what was looked for."""

import json

import numpy as np
import pytest
import torch
from lager.data.errors import LagerError
from lager.extract.model.judge import load_judge
from lager.extract.model.parts import find_parts
from lager.extract.options.groups import LoadOptions
from lager.extract.readout.readout import read_batch
from lager.extract.readout.self_check import check_readout
from support.extraction import run, write_items
from support.tiny_models import random_prompts, save_judge, tiny_model, tiny_tokenizer

LABELS = [40, 90, 140, 190, 240]
CPU = LoadOptions(device="cpu")
OLD = {
    "openai-gpt": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128},
    "xlnet": {"d_model": 32, "n_layer": 3, "n_head": 4, "d_inner": 48, "max_position_embeddings": None},
    "rembert": {"is_decoder": True, "input_embedding_size": 32, "output_embedding_size": 48},
    "bert": {"is_decoder": True},
}


def tiny(family):
    """Return a random model whose configuration calls its sizes otherwise."""
    sizes = dict.fromkeys(("hidden_size", "intermediate_size", "head_dim", "num_hidden_layers", "num_attention_heads"))
    return tiny_model(family, **(sizes if "n_layer" in OLD[family] else {}), **OLD[family])


def test_blocks_that_return_lists_are_read():
    model = tiny("openai-gpt")
    parts = find_parts(model)
    (prompt,) = random_prompts([12])
    own = model(torch.tensor(prompt)[None].long()).logits[0, -1, LABELS].detach().numpy()
    readout = read_batch(parts, [prompt], LABELS)
    assert readout.logits.shape == (1, 4, 5)
    np.testing.assert_allclose(readout.logits_normed[0, -1], own, atol=1e-4)


def test_blocks_that_a_configuration_counts_otherwise_are_read(tmp_path):
    sizes = {
        "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "decoder_attention_heads": 4, "decoder_ffn_dim": 48,
        "num_hidden_layers": None, "is_decoder": True, "is_encoder_decoder": False,
    }  # fmt: skip
    judge = load_judge(save_judge(tmp_path / "judge", family="blenderbot", **sizes), CPU)
    assert judge.model.config.num_hidden_layers == 2  # those of its encoder
    assert judge.n_layers == 3
    prompts = random_prompts([9, 14])
    check_readout(judge, prompts, read_batch(judge.parts, prompts, LABELS), LABELS)


@pytest.mark.parametrize(
    ("family", "told"),
    [
        (
            "xlnet",
            r"looked for one state a token after each block, .*, and block 0 .*\(4, 1, 32\)",
        ),
        ("rembert", r"looked for the unembedding .* raised RuntimeError"),
        ("bert", r"the unembedding at .* does not give the model's own logits"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(family, told):
    with pytest.raises(LagerError, match=told) as found:
        find_parts(tiny(family))
    assert "\n" not in str(found.value)


def test_a_model_that_cannot_read_a_text_and_a_norm_of_another_kind_are_told(monkeypatch):
    model = tiny_model("llama")
    with monkeypatch.context() as patch:
        patch.setattr(model.model, "forward", lambda *args, **kwargs: {}["text"])
        with pytest.raises(LagerError, match=r"looked for the logits .*, and the model's code raised KeyError: 'text'"):
            find_parts(model)
    model.model.norm.forward = lambda states, more=None: states if more is None else states[0, 0]
    with pytest.raises(LagerError, match=r"looked for the final norm \(model\.rotary_emb\).* raised"):
        find_parts(model, norm_path="model.rotary_emb")


def wider(*, pad):
    """Return a tokenizer with a token that the tiny models' embedding lacks, as padding or as a word."""
    tokenizer = tiny_tokenizer(fresh=True)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"} if pad else {"additional_special_tokens": ["[PAD]"]})
    return tokenizer


def test_a_pad_token_beyond_the_embedding_is_replaced_by_one_that_exists(tmp_path):
    judge = load_judge(save_judge(tmp_path / "judge", tokenizer=wider(pad=True)), CPU)
    assert judge.tokenizer.pad_token_id >= judge.n_embedded
    assert judge.pad_id == 0
    items = write_items(tmp_path / "items.jsonl", 5)
    cache = run(judge, items, tmp_path / "cache")
    same = run(save_judge(tmp_path / "same"), items, tmp_path / "same-cache", device="cpu")
    np.testing.assert_array_equal(cache.logits, same.logits)


def test_prompts_with_tokens_beyond_the_embedding_are_not_read_and_say_why(tmp_path, capsys):
    judge = load_judge(save_judge(tmp_path / "judge", tokenizer=wider(pad=False)), CPU)
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps({"prompt": f"a {word}"}) + "\n" for word in ("fox", "[PAD] fox", "dog")))
    cache = run(judge, items, tmp_path / "cache", quiet=False)
    assert cache.reason.tolist() == ["", "the prompt has tokens that the model's embedding lacks", ""]
    assert "1 of 3 prompts are not read" in capsys.readouterr().err
    items.write_text('{"prompt": "[PAD] fox"}\n')
    with pytest.raises(LagerError, match="give the tokenizer that belongs to the model"):
        run(judge, items, tmp_path / "none")
