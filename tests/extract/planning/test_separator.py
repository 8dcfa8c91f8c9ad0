"""The separator under which the score tokens hold more of the probability is taken, at the price of one look."""

import numpy as np
import pytest
import torch
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from lager.extract.planning.separator import choose_separator
from lager.extract.prompts.score_tokens import ScoreTokens
from lager.extract.readout.batches import BatchBudget
from support.tiny_models import random_prompts, save_judge

LENGTHS = [12, 7, 12, 20]


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return load_judge(save_judge(tmp_path_factory.mktemp("judge")), LoadOptions(device="cpu"))


@pytest.fixture
def rows_run(judge):
    """The number of rows in each pass of the decoder."""
    rows = []
    handle = judge.parts.decoder.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    yield rows
    handle.remove()


def own_probabilities(judge, prompts):
    """The model's own next-token probabilities, averaged."""
    with torch.inference_mode():
        logits = [judge.model(torch.from_numpy(prompt)[None].long()).logits[0, -1] for prompt in prompts]
    return torch.stack(logits).double().softmax(-1).mean(0).numpy()


def choose(judge, choices, sampled):
    said = []
    budget = BatchBudget(4096, said.append)
    return choose_separator(judge, choices, sampled, budget=budget, say=said.append), said


def test_the_larger_mass_wins_and_equal_prompts_are_read_once(judge, rows_run):
    prompts = random_prompts(LENGTHS)
    own = own_probabilities(judge, prompts)
    rows_run.clear()
    order = np.argsort(own)
    low, high = tuple(map(int, order[100:105])), tuple(map(int, order[-5:]))
    choices = {"": ScoreTokens("", low, ()), " ": ScoreTokens(" ", high, ())}
    best, said = choose(judge, choices, dict.fromkeys(choices, prompts))
    assert best == " "
    assert sum(rows_run) == len(LENGTHS)
    masses = f"score mass {own[list(high)].sum():.3f}, against {own[list(low)].sum():.3f} with ''"
    assert masses in said[0]


def test_prompts_that_the_separator_makes_longer_are_read_once_and_others_for_each(judge, rows_run):
    prompts = random_prompts(LENGTHS)
    longer = [np.append(prompt, np.int32(9)) for prompt in prompts]
    labels = (40, 90, 140)
    own = own_probabilities(judge, prompts)[list(labels)].sum(), own_probabilities(judge, longer)[list(labels)].sum()
    rows_run.clear()
    choices = {"": ScoreTokens("", labels, ()), " ": ScoreTokens(" ", labels, (9,))}
    best, said = choose(judge, choices, {"": prompts, " ": longer})
    assert rows_run == [1, 1, 2, 2]  # the first two in one pass each, the others in one for each separator
    assert best == ("" if own[0] >= own[1] else " ")
    assert f"{min(own):.3f} with" in said[0]


def test_separators_that_two_prompts_tell_apart_cost_two_passes(judge, rows_run):
    prompts = random_prompts([12, 7, 12, 20] * 8)
    own = own_probabilities(judge, prompts[:2])
    every = tuple(range(len(own)))
    rows_run.clear()
    choices = {"": ScoreTokens("", every[:3], ()), " ": ScoreTokens(" ", every[3:], ())}
    best, said = choose(judge, choices, dict.fromkeys(choices, prompts))
    assert best == " "
    assert rows_run == [1, 1]
    assert f"score mass {own[3:].sum():.3f}, against {own[:3].sum():.3f} with ''" in said[0]


def test_a_near_tie_is_looked_at_on_the_whole_sample_and_no_further(judge, rows_run):
    prompts = random_prompts([12, 7, 12, 20] * 10)
    own = own_probabilities(judge, prompts[:32])
    rows_run.clear()
    half = len(own) // 2
    choices = {"": ScoreTokens("", tuple(range(half)), ()), " ": ScoreTokens(" ", tuple(range(half, len(own))), ())}
    best, said = choose(judge, choices, dict.fromkeys(choices, prompts))
    assert best == ("" if own[:half].sum() >= own[half:].sum() else " ")
    assert sum(rows_run) == 32
    assert f"score mass {max(own[:half].sum(), own[half:].sum()):.3f}" in said[0]


def test_when_the_mass_is_low_the_likeliest_other_tokens_are_named_without_another_look(judge, rows_run):
    prompts = random_prompts(LENGTHS)
    own = own_probabilities(judge, prompts)
    rows_run.clear()
    order = [int(token) for token in np.argsort(-own)]
    choices = {"": ScoreTokens("", (order[1], order[-1]), ())}
    _, said = choose(judge, choices, {"": prompts})
    assert sum(rows_run) == len(LENGTHS)
    first, second = (f"{judge.tokenizer.decode([token])!r} {own[token]:.3f}" for token in (order[0], order[2]))
    assert f"it would rather say {first}, {second}, " in said[1]


def test_what_the_prompts_share_is_computed_once_and_changes_nothing(judge):
    beginning, *ends = random_prompts([90, 5, 6, 7, 8, 5, 6, 7, 8])
    prompts = [np.concatenate([beginning, end]) for end in ends]
    own = own_probabilities(judge, prompts)
    tokens = []
    handle = judge.parts.decoder.register_forward_pre_hook(
        lambda module, args, kwargs: tokens.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    try:
        choices = {"": ScoreTokens("", tuple(range(40, 45)), ())}
        _, said = choose(judge, choices, {"": prompts})
    finally:
        handle.remove()
    # Two are read by themselves, and two whole and again with their beginning shared, to see whether that is allowed.
    assert sum(tokens) < 0.85 * sum(map(len, prompts))
    assert f"score mass {own[40:45].sum():.3f}" in said[0]
