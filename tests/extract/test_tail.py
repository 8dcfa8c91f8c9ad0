"""Past the last attention only the read-out position is computed, and only where that is the same."""

import numpy as np
import pytest
import torch
from lager.extract.parts import find_parts
from lager.extract.readout import read_batch, read_states
from lager.extract.tail import only_at
from support.tiny_models import FAMILIES, random_prompts, tiny_model

LABELS = [40, 90, 140]
PROMPTS = random_prompts([31, 9, 20])
# Their last blocks flatten positions, take the feed-forward by keyword, or have none.
NORM_ONLY = {"falcon", "gpt_oss", "mamba", "opt"}


def names_of(model, modules):
    names = {id(module): name for name, module in model.named_modules()}
    return [names[id(module)] for module in modules]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_it_is_found_and_changes_no_read_out(family):
    model = tiny_model(family)
    parts = find_parts(model)
    found = names_of(model, parts.tail)
    assert found[-1] == parts.paths["norm"][-1]
    assert any(name.endswith("mlp") for name in found) == (family not in NORM_ONLY)
    for cut, whole in zip(
        read_batch(parts, PROMPTS, LABELS), read_batch(parts._replace(tail=()), PROMPTS, LABELS), strict=True
    ):
        np.testing.assert_allclose(cut, whole, atol=1e-5, rtol=0)


def test_feed_forward_and_norm_see_one_position_of_each_prompt_and_only_in_the_last_block():
    model = tiny_model("llama")
    parts, seen = find_parts(model), {}

    def watch(name):
        return lambda module, args, output: seen.update({name: args[0].shape[1]})

    for name in ("layers.1.mlp", "layers.2.mlp", "layers.2.self_attn.o_proj", "norm"):
        model.model.get_submodule(name).register_forward_hook(watch(name))
    read_states(parts, PROMPTS)
    assert seen == {"layers.1.mlp": 31, "layers.2.mlp": 1, "layers.2.self_attn.o_proj": 31, "norm": 1}


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
    assert names_of(model, find_parts(model).tail) == ["model.norm"]


class InPlace(torch.nn.Module):
    """A norm whose output the decoder goes on to write into."""

    def forward(self, states):
        return states * 2


def test_where_it_cannot_be_done_nothing_is_cut():
    model = tiny_model("llama")
    model.model.norm = InPlace()

    def add(module, args, output):
        output.last_hidden_state.add_(1)

    model.model.register_forward_hook(add)
    assert find_parts(model).tail == ()
