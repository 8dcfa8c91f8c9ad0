"""A wrong part is found out before anything is written."""

import types

import pytest
import torch
from lager.data.errors import LagerError
from lager.extract.model.judge import Judge
from lager.extract.model.parts import find_parts
from lager.extract.readout.readout import read_batch
from lager.extract.readout.self_check import check_readout
from support.tiny_models import random_prompts, tiny_model

LABELS = [40, 90, 140]
PROMPTS = random_prompts([12, 30, 7])


def judge_of(model, parts):
    return Judge(model, types.SimpleNamespace(pad_token_id=0), parts, None)


def check(model, parts):
    check_readout(judge_of(model, parts), PROMPTS, read_batch(parts, PROMPTS, LABELS), LABELS)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "mamba", "opt"])
def test_it_passes_on_what_was_found(family):
    model = tiny_model(family)
    check(model, find_parts(model))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_passes_at_low_precision(dtype):
    model = tiny_model("llama").to(dtype)
    check(model, find_parts(model))


def test_a_missing_scale_is_told_with_the_difference():
    model = tiny_model("granite")
    parts = find_parts(model)
    with pytest.raises(LagerError, match=r"self-check: the last layer's score logits differ .* by \d"):
        check(model, parts._replace(head=parts.head._replace(scale=1.0)))


def test_a_scale_that_nothing_names_is_refused():
    model = tiny_model("llama")
    head = model.lm_head
    head.register_forward_hook(lambda module, args, output: output * 3)
    with pytest.raises(LagerError, match=r"does not give the model's own logits \(off by"):
        find_parts(model)


def test_blocks_in_another_order_are_refused():
    model = tiny_model("llama")
    parts = find_parts(model)
    swapped = (parts.blocks[1], parts.blocks[0], parts.blocks[2])
    with pytest.raises(LagerError, match="state of layer entry 0 differs"):
        check(model, parts._replace(blocks=swapped))


def test_too_few_blocks_are_refused():
    model = tiny_model("llama")
    parts = find_parts(model)
    with pytest.raises(LagerError, match="2 blocks were found, but the model returns 4"):
        check(model, parts._replace(blocks=parts.blocks[:2]))


def test_padding_that_changes_a_prompt_is_refused():
    model = tiny_model("llama")
    parts = find_parts(model)
    readout = read_batch(parts, PROMPTS, LABELS)
    # What a model that looks ahead would give: the shortest prompt reads differently in a batch.
    readout.logits_normed[2, -1] += 1.0
    with pytest.raises(LagerError, match="self-check"):
        check_readout(judge_of(model, parts), PROMPTS, readout, LABELS)


def test_an_explicit_path_is_used_and_a_wrong_one_is_named():
    model = tiny_model("llama")
    assert find_parts(model, norm_path="model.norm").paths["norm"] == ["model.norm"]
    with pytest.raises(LagerError, match=r"no module 'model.nrom'"):
        find_parts(model, norm_path="model.nrom")
    with pytest.raises(LagerError, match=r"no list of blocks at 'model.norm'"):
        find_parts(model, layers_path="model.norm")


def test_a_wrong_norm_is_seen_where_the_norm_is_used():
    model = tiny_model("llama")
    wrong = find_parts(model, norm_path="model.layers.0.input_layernorm")
    with pytest.raises(LagerError, match="final norm"):
        check(model, wrong)


def test_a_model_without_a_list_of_blocks_says_what_was_looked_for():
    model = tiny_model("llama")
    model.config.num_hidden_layers = 3
    model.model.layers = torch.nn.ModuleList([*model.model.layers, torch.nn.Identity()])
    with pytest.raises(LagerError, match=r"looked for one list of 3 modules .* model.layers \(4\); .*--layers-path"):
        find_parts(model)
