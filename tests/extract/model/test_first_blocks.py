"""The first blocks of a model alone read what the whole model reads there."""

import numpy as np
import pytest
from lager.extract.model.first_blocks import shortened_config, unused_before
from lager.extract.model.judge import load_judge
from lager.extract.planning.identity import readout_contract
from lager.extract.readout.readout import read_batch, read_steps
from lager.extract.readout.steps import plan_steps
from support.tiny_models import random_prompts, save_judge
from transformers import AutoConfig

LABELS = [40, 90, 140]
PROMPTS = random_prompts([31, 9, 20])


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "qwen3", "gpt_oss", "falcon", "deepseek_v3", "mamba"])
def test_they_give_the_same_read_outs_and_hold_no_later_weights(family, tmp_path):
    judge = save_judge(tmp_path / "judge", family=family)
    whole, first = load_judge(judge), load_judge(judge, first_blocks=2)
    assert (len(first.parts.blocks), first.total_blocks, whole.total_blocks) == (2, 3, None)
    assert first.model.num_parameters() < whole.model.num_parameters()
    assert readout_contract(first) == readout_contract(whole)
    ours, theirs = (read_batch(judge.parts, PROMPTS, LABELS) for judge in (first, whole))
    np.testing.assert_allclose(ours.logits, theirs.logits[:, :3], atol=1e-5)
    np.testing.assert_allclose(ours.logits_normed, theirs.logits_normed[:, :3], atol=1e-5)
    assert np.ptp(ours.logits, axis=1).max() > 1
    assert np.isnan(ours.logsumexp).all()


def test_as_many_blocks_as_there_are_is_the_whole_model(tmp_path):
    judge = load_judge(save_judge(tmp_path / "judge"), first_blocks=3)
    assert judge.total_blocks is None
    assert judge.parts.whole


def test_entries_with_a_value_a_block_are_cut_with_them(tmp_path):
    save_judge(tmp_path / "judge", family="gemma2")
    config = AutoConfig.from_pretrained(tmp_path / "judge")
    short = shortened_config(config, 2)
    assert (short.num_hidden_layers, len(short.layer_types), len(config.layer_types)) == (2, 2, 3)


def test_weights_outside_the_later_blocks_have_to_be_used():
    keys = ["model.layers.2.mlp.up_proj.weight", "model.layers.1.mlp.bias", "model.layers.3.experts.0.weight", "extra"]
    assert unused_before(keys, 2) == ["extra", "model.layers.1.mlp.bias"]


def test_with_shared_prefixes_too(tmp_path):
    judge = load_judge(save_judge(tmp_path / "judge", family="gemma2"), first_blocks=2)
    start = random_prompts([25], seed=1)[0]
    prompts = [np.concatenate([start, end]) for end in random_prompts([6, 3, 9])]
    steps = plan_steps(prompts, batch_tokens=200, always=True)
    assert any(step.prefix for step in steps)
    plain = read_batch(judge.parts, prompts, LABELS)
    for rows, readout in read_steps(judge.parts, prompts, steps, LABELS):
        np.testing.assert_allclose(readout.logits, plain.logits[rows], atol=1e-4)
        np.testing.assert_allclose(readout.logits_normed, plain.logits_normed[rows], atol=1e-4)
