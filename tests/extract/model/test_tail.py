"""In the last block and past it only the read-out position is computed, and only where that is the same."""

import sys

import numpy as np
import pytest
import torch
from lager.extract.model.parts import find_parts
from lager.extract.model.tail import NO_TAIL, only_at
from lager.extract.readout.readout import read_batch, read_states
from support.tiny_models import FAMILIES, random_prompts, tiny_model

LABELS = [40, 90, 140]
PROMPTS = random_prompts([31, 9, 20])
NO_ATTENTION = {"mamba"}
# Queries, keys and values are one product there.
FUSED = {"falcon", "gpt2", "gpt_neox", "phi3"}


def names_of(model, modules):
    names = {id(module): name for name, module in model.named_modules()}
    return [names[id(module)] for module in modules]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_it_is_found_and_changes_no_read_out(family):
    model = tiny_model(family)
    parts = find_parts(model)
    block = parts.tail.block
    assert names_of(model, parts.tail.modules) == parts.paths["norm"]
    assert (block is None) == (family in NO_ATTENTION)
    assert block is None or bool(block.queries) == (family not in FUSED)
    for cut, whole in zip(
        read_batch(parts, PROMPTS, LABELS), read_batch(parts._replace(tail=NO_TAIL), PROMPTS, LABELS), strict=True
    ):
        np.testing.assert_allclose(cut, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma2", "gpt_oss", "phi3"])
def test_the_last_attention_has_one_query_per_prompt(family, monkeypatch):
    model = tiny_model(family)
    model.set_attn_implementation("eager")
    parts, seen = find_parts(model), {}
    code = sys.modules[type(model).__module__]
    attend = code.eager_attention_forward

    def counting(module, query, key, *args, **kwargs):
        seen[module.layer_idx] = query.shape[2], key.shape[2]
        return attend(module, query, key, *args, **kwargs)

    monkeypatch.setattr(code, "eager_attention_forward", counting)
    read_states(parts, PROMPTS)
    assert seen == {0: (31, 31), 1: (31, 31), 2: (1, 31)}


def test_only_keys_and_values_are_projected_at_all_positions_and_only_in_the_last_block(monkeypatch):
    model = tiny_model("llama")
    parts, seen = find_parts(model), {}
    names = {id(module): name for name, module in model.named_modules()}
    linear = torch.nn.Linear.forward

    def counting(module, states):
        seen[names[id(module)]] = seen.get(names[id(module)], 0) + states.shape[1]
        return linear(module, states)

    monkeypatch.setattr(torch.nn.Linear, "forward", counting)
    read_states(parts, PROMPTS)
    last = {name.rpartition(".")[2]: n for name, n in seen.items() if "layers.2." in name}
    assert last == {"k_proj": 32, "v_proj": 32} | dict.fromkeys(("q_proj", "o_proj", "gate_proj", "up_proj"), 1) | {
        "down_proj": 1
    }
    assert {n for name, n in seen.items() if "layers.1." in name} == {31}


def test_the_whole_sequence_is_computed_again_afterwards():
    model = tiny_model("gemma2")
    parts = find_parts(model)
    ids = torch.tensor(PROMPTS[0])[None].long()
    with torch.inference_mode():
        before = model(ids).logits
        with only_at(parts.tail, torch.tensor([4])):
            cut = model(ids).logits
        after = model(ids).logits
    torch.testing.assert_close(cut[0, 4], before[0, 4])
    assert (cut[0, 5] - before[0, 5]).abs().max() > 0.1
    assert torch.equal(before, after)


class Mixing(torch.nn.Module):
    """A feed-forward that looks at the position before, too."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, states):
        return self.inner(states + states.roll(1, dims=1))


def test_a_module_that_mixes_positions_is_left_whole():
    model = tiny_model("llama")
    model.model.layers[-1].mlp = Mixing(model.model.layers[-1].mlp)
    tail = find_parts(model).tail
    assert tail.block is None
    assert names_of(model, tail.modules) == ["model.norm"]


def test_where_queries_mix_positions_the_block_is_left_whole_up_to_its_feed_forward():
    model = tiny_model("llama")
    model.model.layers[-1].self_attn.q_proj = Mixing(model.model.layers[-1].self_attn.q_proj)
    tail = find_parts(model).tail
    assert tail.block is None
    assert names_of(model, tail.modules) == [
        "model.layers.2.post_attention_layernorm", "model.layers.2.mlp", "model.norm"
    ]  # fmt: skip


def test_the_block_is_as_before_when_a_pass_fails():
    model = tiny_model("llama")
    parts = find_parts(model)
    with pytest.raises(IndexError):
        read_states(parts, [np.array([10**6], dtype=np.int32)])
    assert not [name for name, module in model.named_modules() if "forward" in vars(module)]


class InPlace(torch.nn.Module):
    """A norm whose output the decoder goes on to write into."""

    def forward(self, states):
        return states * 2


def test_a_norm_whose_output_is_written_into_is_left_whole():
    model = tiny_model("llama")
    model.model.norm = InPlace()

    def add(module, args, output):
        output.last_hidden_state.add_(1)

    model.model.register_forward_hook(add)
    assert find_parts(model).tail.modules == ()


def test_a_block_whose_output_is_written_into_is_left_whole():
    model = tiny_model("llama")

    def add(module, args, output):
        output.add_(1)

    model.model.layers[-1].register_forward_hook(add)
    tail = find_parts(model).tail
    assert tail.block is None
    assert names_of(model, tail.modules)[-2:] == ["model.layers.2.mlp", "model.norm"]
