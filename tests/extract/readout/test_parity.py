"""Read-outs equal what transformers itself computes, on every family of decoders."""

import numpy as np
import pytest
import torch
from lager.extract.model.parts import find_parts
from lager.extract.readout.readout import read_batch, read_states
from support.tiny_models import FAMILIES, random_prompts, tiny_model, tiny_multimodal_model

LABELS = [40, 90, 140, 190, 240]
LENGTHS = [40, 13, 27]
# The tuple of mamba leaves out the embedding output and has the last block's raw output instead.
NO_EMBEDDING_ENTRY = {"mamba"}


def own_output(model, prompt):
    ids = torch.tensor(prompt)[None].long()
    with torch.inference_mode():
        output = model(input_ids=ids, use_cache=False, output_hidden_states=True)
    return [h[0, -1].numpy() for h in output.hidden_states], output.logits[0, -1].numpy()


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def model(family):
    return tiny_model(family)


@pytest.fixture(scope="module")
def parts(model):
    return find_parts(model)


def test_raw_read_outs_are_hidden_states_times_the_unembedding(family, model, parts):
    (prompt,) = random_prompts([40])
    hidden, _ = own_output(model, prompt)
    logits = read_batch(parts, [prompt], LABELS).logits[0]
    expected = np.stack(hidden) @ parts.head.weight[LABELS].numpy().T
    if family in NO_EMBEDDING_ENTRY:
        logits, expected = logits[[1, 2, 3]], expected[[0, 1, 3]]
    assert np.ptp(logits, axis=0).max() > 1
    assert np.ptp(logits, axis=1).max() > 1
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=0)


def test_the_last_normed_entry_is_the_models_own_logits(model, parts):
    (prompt,) = random_prompts([40])
    _, own = own_output(model, prompt)
    readout = read_batch(parts, [prompt], LABELS)
    assert np.ptp(own[LABELS]) > 1
    np.testing.assert_allclose(readout.logits_normed[0, -1], own[LABELS], atol=1e-4, rtol=0)
    np.testing.assert_allclose(readout.logsumexp[0], np.log(np.exp(own.astype(np.float64)).sum()), atol=1e-4)


def test_middle_normed_entries_are_the_own_head_on_the_own_norm(family, model, parts):
    (prompt,) = random_prompts([21])
    normed = read_batch(parts, [prompt], LABELS).logits_normed[0]
    with torch.inference_mode():
        state = read_states(parts, [prompt]).layers[0, 1]
        for path in parts.paths["norm"]:
            state = model.get_submodule(path)(state)
        expected = parts.head.logits(state, LABELS)
    np.testing.assert_allclose(normed[1], expected.numpy(), atol=1e-4, rtol=0)
    assert np.abs(normed[1] - normed[-1]).max() > 0.1


def test_right_padding_does_not_change_a_prompt(parts):
    prompts = random_prompts(LENGTHS)
    together = read_batch(parts, prompts, LABELS, pad_id=7)
    for row, prompt in enumerate(prompts):
        alone = read_batch(parts, [prompt], LABELS)
        for name in ("logits", "logits_normed", "logsumexp"):
            np.testing.assert_allclose(getattr(together, name)[row], getattr(alone, name)[0], atol=1e-5, rtol=0)


def test_no_hook_stays_behind_even_when_the_model_fails(model, parts):
    with pytest.raises((IndexError, RuntimeError)):
        read_states(parts, [np.array([10**6], dtype=np.int32)])
    left = [m for b in parts.blocks for m in (b._forward_pre_hooks, *_own_hooks(b)) if m]
    assert not left


def _own_hooks(block):
    hooks = block._forward_hooks.values()
    return [hook for hook in hooks if "lager" in getattr(hook, "__module__", "")]


def test_a_cap_and_a_scale_are_found_and_a_bias_is_not_part_of_the_raw_read_out():
    assert find_parts(tiny_model("gemma2")).head.cap == 5.0
    assert find_parts(tiny_model("granite")).head.scale == 0.25
    assert find_parts(tiny_model("cohere")).head.scale == 0.25
    parts = find_parts(tiny_model("phi"))
    assert parts.head.bias is not None
    readout = read_batch(parts, random_prompts([9]), LABELS)
    bias = parts.head.bias[LABELS].numpy()
    np.testing.assert_allclose(readout.logits[0, -1] + bias, readout.logits_normed[0, -1], atol=1e-5)
    assert np.abs(bias).max() > 0.1


def test_a_projection_before_the_unembedding_counts_as_part_of_it():
    model = tiny_model("opt", word_embed_proj_dim=16)
    parts = find_parts(model)
    (prompt,) = random_prompts([15])
    hidden, own = own_output(model, prompt)
    readout = read_batch(parts, [prompt], LABELS)
    unembedding = parts.head.weight[LABELS] @ parts.projection.weight
    np.testing.assert_allclose(readout.logits[0, 1], unembedding.numpy() @ hidden[1], atol=1e-4)
    np.testing.assert_allclose(readout.logits_normed[0, -1], own[LABELS], atol=1e-4)


def test_the_text_decoder_of_a_multimodal_model_is_read():
    model = tiny_multimodal_model()
    parts = find_parts(model)
    (prompt,) = random_prompts([30])
    hidden, own = own_output(model, prompt)
    readout = read_batch(parts, [prompt], LABELS)
    assert "language_model" in parts.paths["layers"]
    np.testing.assert_allclose(readout.logits[0], np.stack(hidden) @ parts.head.weight[LABELS].numpy().T, atol=1e-4)
    np.testing.assert_allclose(readout.logits_normed[0, -1], own[LABELS], atol=1e-4)


def test_the_log_sum_exp_in_slices_is_that_of_the_whole(monkeypatch):
    parts = find_parts(tiny_model("gemma2"))
    state = torch.randn(4, 32)
    whole = parts.head.logits(state, slice(None)).logsumexp(-1)
    monkeypatch.setattr("lager.extract.model.head._ROWS_AT_ONCE", 100)
    torch.testing.assert_close(parts.head.logsumexp(state), whole)
