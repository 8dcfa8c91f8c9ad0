"""Steps read every prompt once, find in the pool just the tokens they continue, and keep to the budget."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lager.data.errors import LagerError
from lager.extract.readout.steps import FORKED_TOKENS, plan_steps, step_cost

PROMPTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=14)


def arrays(prompts):
    return [np.array(prompt, dtype=np.int32) for prompt in prompts]


def tree_prompts(*, articles=2, texts=4, ends=3, seed=0):
    """Prompts as of a benchmark with an article, several texts on it, and several criteria."""
    rng = np.random.default_rng(seed)

    def draw(n):
        return rng.integers(3, 10_000, n).tolist()

    intro, criteria = draw(20), [draw(10 + n) for n in range(ends)]
    rows = [
        [*article, *text, *end]
        for article in ([*intro, *draw(200 + 30 * n)] for n in range(articles))
        for text in (draw(60 + 7 * n) for n in range(texts))
        for end in criteria
    ]
    return arrays(rows)


def follow(steps, prompts):
    """Run a plan on token ids in place of keys and values; return the rows read, and the longest pool."""
    pool, read, longest = [], [], 0
    for step in steps:
        assert step.pool <= len(pool)
        del pool[step.pool :]
        added = []
        for segment in step.segments:
            tokens = prompts[segment.row].tolist()
            prefix = [token for start, stop in segment.spans for token in pool[start:stop]]
            assert prefix == tokens[: step.prefix]
            assert step.prefix <= segment.keep_from <= segment.stop
            assert segment.stop > step.prefix
            added += tokens[segment.keep_from : segment.stop]
            for row in segment.ends:
                assert prompts[row].tolist() == tokens[: segment.stop]
                read.append(row)
        pool += added
        longest = max(longest, len(pool))
    return read, longest


@given(PROMPTS, st.integers(1, 200), st.booleans())
def test_every_prompt_is_read_once_after_its_own_tokens(prompts, budget, share):
    prompts = arrays(prompts)
    steps = plan_steps(prompts, batch_tokens=budget, share_prefixes=share, always=True)
    read, longest = follow(steps, prompts)
    assert sorted(read) == list(range(len(prompts)))
    assert longest <= budget + max(map(len, prompts))


@pytest.mark.parametrize("budget", [1, 400, 2000, 10**6])
def test_nested_prompts_are_read_within_the_budget(budget):
    prompts = tree_prompts()
    steps = plan_steps(prompts, batch_tokens=budget, always=True)
    read, longest = follow(steps, prompts)
    assert sorted(read) == list(range(len(prompts)))
    for step in steps:
        n = len(step.segments)
        assert n == 1 or n * (step.width + step.prefix / FORKED_TOKENS) <= budget
    # A branch of the tree is kept while what continues it is read, whatever the budget.
    assert longest <= budget + max(map(len, prompts))


def test_what_is_shared_is_computed_once():
    prompts = tree_prompts()
    steps = plan_steps(prompts, batch_tokens=8192)
    computed = sum(step.n_tokens for step in steps)
    different = len({tuple(prompt[:n]) for prompt in prompts for n in range(1, len(prompt) + 1)})
    assert different <= computed < 1.3 * different < 0.4 * sum(map(len, prompts))


def test_the_pool_is_cut_when_a_branch_is_done():
    prompts = tree_prompts(articles=5)
    _, longest = follow(plan_steps(prompts, batch_tokens=1500), prompts)
    assert longest < 0.5 * len({tuple(prompt[:n]) for prompt in prompts for n in range(1, len(prompt) + 1)})


@pytest.mark.parametrize("shared", [0, 3, 20])
def test_sharing_that_saves_little_is_left_alone(shared):
    rng = np.random.default_rng(0)
    rows = arrays([[*range(shared), *rng.integers(100, 900, 150)] for _ in range(12)])
    plain = plan_steps(rows, batch_tokens=2000, share_prefixes=False)
    assert plan_steps(rows, batch_tokens=2000) == plain
    assert all(step.prefix == 0 for step in plain)


@pytest.mark.parametrize(("shared", "own", "pays"), [(300, 300, True), (700, 3300, False), (2000, 2000, True)])
def test_before_a_long_own_part_a_short_shared_one_does_not_pay(shared, own, pays):
    # The causal kernel skips half of the attention; a pass after a prefix cannot.
    rng = np.random.default_rng(0)
    prompts = arrays([[*range(shared), *rng.integers(0, 900, own)] for _ in range(12)])
    assert any(step.prefix for step in plan_steps(prompts, batch_tokens=16384)) == pays


def test_a_shared_plan_is_taken_only_when_it_costs_less():
    prompts = tree_prompts()
    plain = plan_steps(prompts, batch_tokens=8192, share_prefixes=False)
    assert step_cost(plan_steps(prompts, batch_tokens=8192)) < 0.5 * step_cost(plain)


def test_the_plan_depends_on_prompts_and_budget_alone():
    prompts = tree_prompts()
    assert plan_steps(prompts, batch_tokens=900) == plan_steps([p.copy() for p in prompts], batch_tokens=900)


def test_a_budget_below_one_is_refused():
    with pytest.raises(LagerError, match="--batch-tokens 0"):
        plan_steps(tree_prompts(), batch_tokens=0)
