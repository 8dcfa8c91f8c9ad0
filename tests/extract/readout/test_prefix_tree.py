"""The tree holds every prompt, computes each shared run of tokens once, and keeps only nodes worth their price."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from lager.extract.readout.prefix_tree import TOP, prefix_tree

# Few different tokens, so that most draws share something.
PROMPTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=14)


def arrays(prompts):
    return [np.array(prompt, dtype=np.int32) for prompt in prompts]


def tokens_of(tree, number, prompts):
    """The tokens from the top to the end of a node."""
    node = tree[number]
    before = [] if node.parent == TOP else tokens_of(tree, node.parent, prompts)
    return [*before, *prompts[node.row][node.start : node.stop]]


@given(PROMPTS, st.integers(0, 10))
def test_every_prompt_ends_in_one_node_and_is_what_leads_there(prompts, price):
    tree = prefix_tree(arrays(prompts), node_tokens=price)
    assert sorted(row for node in tree for row in node.ends) == list(range(len(prompts)))
    for number, node in enumerate(tree):
        assert node.parent < number
        assert node.start == (0 if node.parent == TOP else tree[node.parent].stop) < node.stop
        for row in node.ends:
            assert tokens_of(tree, number, prompts) == prompts[row]


@given(PROMPTS)
def test_when_nodes_are_free_no_token_is_computed_twice(prompts):
    tree = prefix_tree(arrays(prompts), node_tokens=0)
    different = {tuple(prompt[:n]) for prompt in prompts for n in range(1, len(prompt) + 1)}
    assert sum(node.stop - node.start for node in tree) == len(different)


def cost(tree, price):
    continued = {node.parent for node in tree} - {TOP}
    return sum(node.stop - node.start for node in tree) + price * len(continued)


@given(PROMPTS, st.integers(0, 10), st.integers(0, 30))
def test_no_other_price_gives_a_cheaper_tree(prompts, price, other):
    best = prefix_tree(arrays(prompts), node_tokens=price)
    assert cost(best, price) <= cost(prefix_tree(arrays(prompts), node_tokens=other), price)


def test_nested_sharing_is_found():
    rubric, article, text = [1] * 100, [2] * 200, [3] * 150
    prompts = [
        [*rubric, *article, *text, 4],
        [*rubric, *article, *text, 5],
        [*rubric, *article, 6, 6],
        [*rubric, *article, 7],
        [*rubric, 8],
        [*rubric, 9],
    ]
    tree = prefix_tree(arrays(prompts))
    assert [(node.start, node.stop) for node in tree if not node.ends] == [(0, 100), (100, 300), (300, 450)]


def test_a_few_words_that_happen_to_be_the_same_are_not_shared():
    tree = prefix_tree(arrays([[1, 2, 3, *range(10, 90)], [1, 2, 3, *range(100, 190)]]))
    assert [node.parent for node in tree] == [TOP, TOP]


def test_a_prompt_that_another_continues_is_read_where_it_ends():
    tree = prefix_tree(arrays([list(range(80)), list(range(100))]))
    assert [(node.parent, node.start, node.stop, node.ends) for node in tree] == [
        (TOP, 0, 80, (0,)),
        (0, 80, 100, (1,)),
    ]


def test_equal_prompts_end_in_one_node():
    (node,) = prefix_tree(arrays([[5, 6, 7]] * 3))
    assert (node.parent, node.ends) == (TOP, (0, 1, 2))


def test_a_long_chain_of_continuations_needs_no_recursion():
    prompts = [np.arange(n, dtype=np.int32) for n in range(70, 70 * 1100, 70)]
    assert len(prefix_tree(prompts)) == len(prompts)
