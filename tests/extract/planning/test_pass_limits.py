"""What depends on the batch is found by trying, and read as if each prompt were alone."""

import json
import runpy
import types

import numpy as np
import pytest
import torch
from lager.extract.model.judge import Judge, load_judge
from lager.extract.model.parts import find_parts
from lager.extract.options.groups import LoadOptions
from lager.extract.planning.pass_limits import PassLimits, named_lengths
from lager.extract.readout.readout import read_batch, read_steps
from lager.extract.readout.steps import plan_steps
from support.extraction import WORDS, run
from support.tiny_models import random_prompts, save_judge, tiny_model

LABELS = [40, 90, 140]
LIMIT = 64
LONGROPE = {
    "original_max_position_embeddings": LIMIT, "max_position_embeddings": 512,
    "rope_scaling": {
        "rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [8.0] * 4,
        "original_max_position_embeddings": LIMIT, "rope_theta": 10000.0,
    },
}  # fmt: skip


def limits_of(model, prompts, *, batch_tokens=10_000, share_prefixes=True):
    told = []
    judge = Judge(model, types.SimpleNamespace(pad_token_id=0), find_parts(model), None)
    limits = PassLimits(judge, batch_tokens=batch_tokens, share_prefixes=share_prefixes, say=told.append)
    limits.settle(prompts, LABELS)
    return limits, told


def around_the_limit():
    """Prompts below, at and above the limit; some share a beginning that ends below it, some one that ends above."""
    low, high, *alone = random_prompts([40, 80, LIMIT - 1, LIMIT, LIMIT + 1, 7, 120])
    ends = random_prompts([3, 20, 30, 40, 50], seed=1)
    return [*alone, *(np.concatenate([start, end]) for start in (low, high) for end in ends)]


@pytest.fixture(scope="module")
def longrope():
    return tiny_model("phi3", **LONGROPE)


def test_a_rope_that_follows_the_pass_is_found(longrope):
    prompts = around_the_limit()
    together, alone = (read_batch(find_parts(longrope), some, LABELS).logits[-1] for some in (prompts, prompts[-1:]))
    assert np.abs(together - alone).max() < 1e-4  # the longest is right either way
    limits, told = limits_of(longrope, prompts)
    assert limits.borders == (LIMIT,)
    assert not limits.alone
    (line,) = told
    assert f"prompts of up to {LIMIT} tokens and longer ones are read in passes of their own: padding past it" in line


@pytest.mark.parametrize(("share_prefixes", "batch_tokens"), [(False, 10_000), (True, 300)])
def test_passes_that_keep_the_border_read_what_the_model_says_of_each_prompt(longrope, share_prefixes, batch_tokens):
    parts, prompts = find_parts(longrope), around_the_limit()
    options = {"batch_tokens": batch_tokens, "share_prefixes": share_prefixes, "always": share_prefixes}

    def worst(**more):
        far = 0.0
        steps = plan_steps(prompts, **options, **more)
        for rows, readout in read_steps(parts, prompts, steps, LABELS):
            for row, logits in zip(rows, readout.logits_normed[:, -1], strict=True):
                ids = torch.from_numpy(prompts[row].astype(np.int64))[None]
                far = max(far, float(np.abs(logits - longrope(ids).logits[0, -1, LABELS].numpy()).max()))
        return far

    assert worst() > 0.1  # what a plan without the border gets wrong
    assert worst(borders=(LIMIT,)) < 1e-4


def test_no_step_has_both_sides_of_a_border():
    prompts = around_the_limit()
    for share in (False, True):
        steps = plan_steps(prompts, batch_tokens=10_000, share_prefixes=share, always=share, borders=(50, LIMIT))
        assert sorted(row for step in steps for segment in step.segments for row in segment.ends) == list(
            range(len(prompts))
        )
        for step in steps:
            sides = {sum(segment.stop > border for border in (50, LIMIT)) for segment in step.segments}
            ends = {sum(len(prompts[segment.row]) > border for border in (50, LIMIT)) for segment in step.segments}
            assert sides == ends
            assert len(sides) == 1


@pytest.mark.parametrize("family", ["mistral", "gpt_oss", "mixtral"])
def test_windows_sinks_and_experts_need_no_border(family):
    limits, told = limits_of(tiny_model(family), random_prompts([5, 30, 12, 60, 8, 9]))
    assert (limits.borders, limits.alone, told) == ((), False, [])


def test_a_rope_that_grows_beyond_the_context_is_no_border_inside_it():
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    model = tiny_model("llama", rope_scaling=rope, max_position_embeddings=LIMIT)
    prompts = random_prompts([10, LIMIT, LIMIT - 1])
    assert limits_of(model, prompts)[0].borders == ()
    for n, prompt in enumerate(prompts):
        own = model(torch.from_numpy(prompt.astype(np.int64))[None]).logits[0, -1, LABELS].numpy()
        together = read_batch(find_parts(model), prompts, LABELS).logits_normed[n, -1]
        np.testing.assert_allclose(together, own, atol=1e-4, rtol=0)


class _Crowded(torch.nn.Module):
    """A block that depends on all that is in the pass, as experts with a capacity do."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, states, *args, **kwargs):
        return self.block(states * (1 + 0.01 * states.shape[0] * states.shape[1]), *args, **kwargs)


def test_a_model_that_depends_on_all_that_is_in_a_pass_reads_each_prompt_alone():
    model = tiny_model("llama")
    model.model.layers[1].mlp = _Crowded(model.model.layers[1].mlp)
    limits, told = limits_of(model, random_prompts([5, 30, 12]), share_prefixes=False)
    assert limits.alone
    assert "every prompt is read in a pass of its own: what else is in a pass changes read-outs by" in told[0]


def test_nothing_is_tried_where_each_prompt_is_alone_anyway(longrope):
    limits, told = limits_of(longrope, around_the_limit(), batch_tokens=1, share_prefixes=False)
    assert (limits.borders, told) == ((), [])


def test_lengths_are_found_at_any_depth_of_a_configuration(longrope):
    assert {LIMIT, 512} <= set(named_lengths(longrope.config))
    assert 8 in named_lengths(tiny_model("gpt_oss").config)
    assert 32 not in named_lengths(tiny_model("llama").config)  # the width is no length


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_judge(tmp_path_factory.mktemp("judge"), family="phi3", **LONGROPE)


def write_straddling_items(path):
    rng = np.random.default_rng(0)
    start = " ".join(rng.choice(WORDS.split(), size=12))
    prompts = [f"{start} {' '.join(rng.choice(WORDS.split(), size=n))}" for n in (2, 3, 4, 5, 20, 25, 30, 35)]
    path.write_text("".join(json.dumps({"prompt": prompt, "score": 3}) + "\n" for prompt in prompts))
    return path


@pytest.mark.parametrize("options", [{}, {"features": ["logits", "hidden"]}])
def test_an_extraction_has_the_numbers_of_single_prompts(folder, tmp_path, capsys, options):
    judge = load_judge(folder, LoadOptions(device="cpu"))
    items = write_straddling_items(tmp_path / "items.jsonl")
    usual = run(judge, items, tmp_path / "usual", shard_size=100, quiet=False, **options)
    assert capsys.readouterr().err.count("read in passes of their own") == 1
    single = run(judge, items, tmp_path / "single", shard_size=100, deterministic=True)
    assert single.n_tokens.min() < LIMIT < single.n_tokens.max()
    np.testing.assert_allclose(usual.logits, single.logits, atol=1e-4, rtol=0)
    np.testing.assert_allclose(usual.logits_normed, single.logits_normed, atol=1e-4, rtol=0)


def test_generated_scores_are_read_and_written_on_one_side(folder, tmp_path):
    judge = load_judge(folder, LoadOptions(device="cpu"))
    items = write_straddling_items(tmp_path / "items.jsonl")
    options = {"condition": "generate", "max_new_tokens": 6, "keep_text": True, "max_invalid": 1.0, "shard_size": 100}
    usual = run(judge, items, tmp_path / "usual", **options)
    single = run(judge, items, tmp_path / "single", deterministic=True, **options)
    written, alone = (cache.read_shard(0).optional["generated"] for cache in (usual, single))
    assert list(written) == list(alone)
    assert len(set(written)) > 1
    np.testing.assert_allclose(usual.logits, single.logits, atol=1e-4, rtol=0)


def test_what_an_earlier_run_found_holds_under_the_same_conditions_alone(longrope):
    prompts = around_the_limit()
    first, _ = limits_of(longrope, prompts)
    found = json.loads(json.dumps(first.as_json()))
    assert found["batch_tried"]
    assert LIMIT not in found["untried"]
    told = []
    again = PassLimits(first.judge, batch_tokens=10_000, share_prefixes=True, say=told.append)
    again.take(found)
    assert (again.borders, again.as_json()) == ((LIMIT,), first.as_json())
    assert ["found when the run began" in line for line in told] == [True]
    for wrong in (
        None, [], {**found, "borders": "64"}, {**found, "untried": [7]}, {**found, "borders": [-1]},
        {**found, "under": {**found["under"], "batch_tokens": 300}},
        {**found, "under": {**found["under"], "versions": {"torch": "1.99"}}},
    ):  # fmt: skip
        other = PassLimits(first.judge, batch_tokens=10_000, share_prefixes=True, say=told.append)
        other.take(wrong)
        assert (other.borders, other.as_json()["batch_tried"]) == ((), False)


def test_an_extraction_keeps_what_it_found_for_a_run_that_goes_on(folder, tmp_path, capsys):
    judge = load_judge(folder, LoadOptions(device="cpu"))
    items = write_straddling_items(tmp_path / "items.jsonl")
    cache = run(judge, items, tmp_path / "cache", shard_size=4)
    kept = json.loads((tmp_path / "cache" / "run.json").read_text())["pass_limits"]
    assert kept["borders"] == [LIMIT]
    assert "pass_limits" not in cache.manifest
    (tmp_path / "cache" / "shards" / "00001.h5").unlink()
    again = run(judge, items, tmp_path / "cache", shard_size=4, quiet=False)
    assert "read in passes of their own: found when the run began" in capsys.readouterr().err
    assert again.content_hash == cache.content_hash


@pytest.mark.shared
@pytest.mark.slow
def test_a_judge_with_longrope_reads_its_items_as_the_model_does(shared, repository, tmp_path, monkeypatch):
    fault, demo = shared / "faults" / "03-longrope", repository / "data" / "demo"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["make_judge.py", str(demo / "judge")])
    runpy.run_path(str(fault / "make_judge.py"), run_name="__main__")
    assert (tmp_path / "items.jsonl").read_bytes() == (fault / "items.jsonl").read_bytes()
    cache = run(tmp_path / "judge", tmp_path / "items.jsonl", tmp_path / "c", batch_tokens=2048, device="cpu")
    single = run(tmp_path / "judge", tmp_path / "items.jsonl", tmp_path / "d", deterministic=True, device="cpu")
    np.testing.assert_allclose(cache.logits_normed, single.logits_normed, atol=1e-4, rtol=0)
    judge = load_judge(tmp_path / "judge", LoadOptions(device="cpu"))
    tokens = cache.manifest["fingerprint_inputs"]["scale"]
    for row, line in enumerate((tmp_path / "items.jsonl").read_text().splitlines()):
        text = judge.tokenizer.apply_chat_template(
            [{"role": "user", "content": json.loads(line)["prompt"]}], add_generation_prompt=True, tokenize=False
        )
        ids = judge.tokenizer(text, add_special_tokens=False)["input_ids"] + tokens["prefix_token_ids"]
        own = judge.model(torch.tensor([ids])).logits[0, -1, tokens["token_ids"]].numpy()
        np.testing.assert_allclose(cache.logits_normed[row, -1], own, atol=1e-4, rtol=0)
