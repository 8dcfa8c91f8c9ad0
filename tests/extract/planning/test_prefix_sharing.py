"""Shared prefixes change low bits only, on every family whose cache can be forked; the others are found out."""

import json

import numpy as np
import pytest
import torch
from lager.extract.model.judge import load_judge
from lager.extract.model.parts import find_parts
from lager.extract.options.groups import LoadOptions
from lager.extract.readout.prefix_cache import PrefixCache
from lager.extract.readout.readout import Readout, read_batch, read_steps
from lager.extract.readout.steps import plan_steps
from support.extraction import WORDS, run
from support.tiny_models import CHAT_TEMPLATE, FAMILIES, VOCABULARY, save_judge, tiny_model, tiny_tokenizer

LABELS = [40, 90, 140, 190, 240]
NOT_FORKED = {"mamba"}  # its state is no keys and values


def nested_prompts(*, seed=0):
    """Prompts that share a rubric, articles longer than every sliding window, and texts; two alike, two alone."""
    rng = np.random.default_rng(seed)

    def draw(n):
        return rng.integers(3, VOCABULARY, n).astype(np.int32)

    rubric, prompts = draw(7), []
    for article in (np.concatenate([rubric, draw(30 + n)]) for n in range(2)):
        for text in (draw(8 + 3 * n) for n in range(3)):
            prompts += [np.concatenate([article, text, draw(4 + n)]) for n in range(3)]
        prompts.append(article)
    return [*prompts, prompts[0], draw(20), draw(50)]


def read_shared(parts, prompts, batch_tokens):
    """Read with sharing wherever it is possible, and return the read-outs in the prompts' order."""
    steps = plan_steps(prompts, batch_tokens=batch_tokens, always=True)
    assert sum(step.n_tokens for step in steps) < 0.4 * sum(map(len, prompts))
    values = [np.full((len(prompts), *shape), np.nan) for shape in ((4, len(LABELS)), (4, len(LABELS)), ())]
    for rows, readout in read_steps(parts, prompts, steps, LABELS):
        for value, part in zip(values, readout, strict=True):
            value[rows] = part
    return Readout(*values)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - NOT_FORKED))
def test_shared_read_outs_are_those_of_whole_prompts(family):
    parts, prompts = find_parts(tiny_model(family)), nested_prompts()
    whole = read_batch(parts, prompts, LABELS)
    assert np.ptp(whole.logits, axis=(1, 2)).min() > 1
    for batch_tokens in (1, 150, 10**5):
        shared = read_shared(parts, prompts, batch_tokens)
        for name in Readout._fields:
            np.testing.assert_allclose(getattr(shared, name), getattr(whole, name), atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_window_shorter_than_the_prefix_is_kept_by_every_attention(attention):
    model = tiny_model("mistral", attn_implementation=attention)
    parts, prompts = find_parts(model), nested_prompts()
    narrow, wide = (read_batch(find_parts(m), prompts, LABELS) for m in (model, tiny_model("llama")))
    assert np.abs(narrow.logits - wide.logits).max() > 1  # the window matters here
    np.testing.assert_allclose(read_shared(parts, prompts, 150).logits, narrow.logits, atol=1e-4, rtol=0)


def test_the_pool_keeps_each_token_once_and_no_forked_copy():
    parts, prompts = find_parts(tiny_model("llama")), nested_prompts()
    steps = plan_steps(prompts, batch_tokens=10**5, always=True)
    cache, longest = PrefixCache(len(parts.blocks)), 0
    for step in steps:
        cache.begin(step)
        width, rows = step.width, len(step.segments)
        with torch.inference_mode():
            ids = torch.ones(rows, width, dtype=torch.long)
            parts.decoder(input_ids=ids, past_key_values=cache.past_key_values, use_cache=True)
        cache.end()
        longest = max(longest, cache.n_tokens)
        assert all(layer.keys is None and layer.values is None for layer in cache.past_key_values.layers)
    assert 0 < longest <= len({tuple(p[:n]) for p in prompts for n in range(1, len(p) + 1)})


# From here on the whole stage.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_judge(
        tmp_path_factory.mktemp("judge"),
        tokenizer=tiny_tokenizer(chat_template=CHAT_TEMPLATE),
        max_position_embeddings=512,
    )


@pytest.fixture(scope="module")
def judge(folder):
    return load_judge(folder, LoadOptions(device="cpu"))


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return write_shared_items(tmp_path_factory.mktemp("items") / "items.jsonl")


def write_shared_items(path):
    """Two articles, three texts on each, four criteria of each; and one prompt that shares nothing."""
    rng = np.random.default_rng(0)

    def draw(n):
        return " ".join(rng.choice(WORDS.split(), size=n))

    texts = [f"{article} {text}" for article in (draw(60), draw(70)) for text in (draw(15), draw(18), draw(21))]
    prompts = [f"{text} {criterion}" for text in texts for criterion in (draw(4), draw(5), draw(3), draw(6))]
    rows = [{"id": f"q{n}", "prompt": prompt, "score": 1 + n % 5} for n, prompt in enumerate([*prompts, "9 9 9"])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def record(cache):
    (line,) = cache.manifest["provenance"]["runs"]
    return line


def test_sharing_on_or_off_gives_the_same_cache_but_for_low_bits(judge, items, tmp_path):
    on = run(judge, items, tmp_path / "on", shard_size=100)
    off = run(judge, items, tmp_path / "off", shard_size=100, share_prefixes=False)
    assert (on.fingerprint, on.items_hash) == (off.fingerprint, off.items_hash)
    for name in ("logits", "logits_normed", "logsumexp"):
        np.testing.assert_allclose(getattr(on, name), getattr(off, name), atol=1e-4, rtol=0)
    assert record(on)["prefix_sharing"]
    assert not record(off)["prefix_sharing"]
    assert record(on)["computed_tokens"] < 0.5 * record(off)["computed_tokens"]
    assert record(on)["tokens"] == record(off)["tokens"] == record(off)["computed_tokens"]


@pytest.mark.slow
def test_the_same_shared_run_twice_has_the_same_content(judge, folder, items, tmp_path):
    first = run(judge, items, tmp_path / "first", shard_size=13)
    second = run(folder, items, tmp_path / "second", shard_size=13, device="cpu")
    assert record(first)["prefix_sharing"]
    assert first.content_hash == second.content_hash


@pytest.mark.parametrize("batch_tokens", [1, 300])
@pytest.mark.slow
def test_any_budget_gives_the_same_cache_but_for_low_bits(judge, items, tmp_path, batch_tokens):
    usual = run(judge, items, tmp_path / "usual", shard_size=100)
    small = run(judge, items, tmp_path / "small", shard_size=100, batch_tokens=batch_tokens)
    np.testing.assert_allclose(usual.logits, small.logits, atol=1e-4, rtol=0)
    np.testing.assert_allclose(usual.logits_normed, small.logits_normed, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_an_interrupted_shared_run_ends_as_one_that_was_not(judge, items, tmp_path):
    whole = run(judge, items, tmp_path / "whole", shard_size=13)
    run(judge, items, tmp_path / "cache", shard_size=13)
    (tmp_path / "cache" / "manifest.json").unlink()
    (tmp_path / "cache" / "shards" / "00000.h5").unlink()
    assert run(judge, items, tmp_path / "cache", shard_size=13).content_hash == whole.content_hash


@pytest.mark.slow
def test_deterministic_reads_each_prompt_by_itself(judge, items, tmp_path):
    few = tmp_path / "few.jsonl"
    few.write_text("".join(items.read_text().splitlines(keepends=True)[3::4]))
    all_items = run(judge, items, tmp_path / "all", deterministic=True, shard_size=100)
    some = run(judge, few, tmp_path / "some", deterministic=True)
    places = [list(all_items.item_id).index(name) for name in some.item_id]
    np.testing.assert_array_equal(all_items.logits[places], some.logits)
    np.testing.assert_array_equal(all_items.logsumexp[places], some.logsumexp)
    usual = run(judge, items, tmp_path / "usual", shard_size=100)
    assert usual.fingerprint == all_items.fingerprint
    np.testing.assert_allclose(usual.logits, all_items.logits, atol=1e-4, rtol=0)
    options = json.loads((tmp_path / "all" / "run.json").read_text())["options"]
    assert (options["deterministic"], options["share_prefixes"]) == (True, False)
    assert not record(all_items)["prefix_sharing"]


def test_a_model_without_keys_and_values_is_read_without_sharing_and_it_is_said(items, tmp_path, capsys):
    tokenizer = tiny_tokenizer(chat_template=CHAT_TEMPLATE)
    folder = save_judge(tmp_path / "mamba", family="mamba", tokenizer=tokenizer, max_position_embeddings=512)
    judge = load_judge(folder, LoadOptions(device="cpu"))
    on = run(judge, items, tmp_path / "on", shard_size=100, quiet=False)
    told = capsys.readouterr().err
    off = run(judge, items, tmp_path / "off", shard_size=100, share_prefixes=False)
    assert "prefixes are not shared: with forked keys and values the model gives other read-outs" in told
    assert on.content_hash == off.content_hash
    assert not record(on)["prefix_sharing"]


def test_a_cache_that_cannot_be_filled_is_told_and_not_used(judge, items, tmp_path, capsys, monkeypatch):
    def refuse(self, step):
        raise NotImplementedError

    monkeypatch.setattr(PrefixCache, "begin", refuse)
    cache = run(judge, items, tmp_path / "cache", quiet=False)
    assert "prefixes are not shared: the model does not take keys and values from outside (NotImpl" in (
        capsys.readouterr().err
    )
    assert cache.valid.all()


def test_running_out_of_memory_is_no_sign_of_another_cache(judge, items, tmp_path, monkeypatch):
    def refuse(self, step):
        raise torch.OutOfMemoryError("too much")

    monkeypatch.setattr(PrefixCache, "begin", refuse)
    with pytest.raises(torch.OutOfMemoryError):
        run(judge, items, tmp_path / "cache")


def test_short_prompts_are_neither_shared_nor_tried(judge, tmp_path, monkeypatch, capsys):
    rows = [{"prompt": f"the fox {n}"} for n in range(8)]
    (tmp_path / "short.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(PrefixCache, "begin", None)  # any use would raise
    cache = run(judge, tmp_path / "short.jsonl", tmp_path / "cache", quiet=False)
    assert "not shared" not in capsys.readouterr().err
    assert not record(cache)["prefix_sharing"]
