"""Rows of one prompt are in one cluster, whatever clusters are given."""

import numpy as np
import pytest
from lager.data.cache.prompt_clusters import with_prompts_whole


def whole(cluster, prompts):
    given = None if cluster is None else np.array(cluster, dtype=object)
    found = with_prompts_whole(given, np.array(prompts, dtype=np.uint64))
    return None if found.cluster is None else found.cluster.tolist(), found.n_prompts, found.n_rows


@pytest.mark.parametrize(
    ("cluster", "prompts", "expected"),
    [
        (None, [1, 2, 3], (None, 0, 0)),
        (None, [7, 2, 7], (["prompt 0000000000000007", None, "prompt 0000000000000007"], 1, 2)),
        (["b", "a", "b"], [1, 2, 1], (["b", "a", "b"], 0, 0)),
        (["b", "a", "c"], [1, 1, 2], (["a", "a", "c"], 1, 2)),
        # b and a share prompt 1, a and c prompt 2: all three are one, and so is the row without a cluster.
        (["b", "a", "a", "c", None, None], [1, 1, 2, 2, 2, 9], (["a"] * 5 + [None], 2, 5)),
    ],
    ids=["no repeats", "no clusters", "already whole", "two joined", "a chain"],
)
def test_clusters_that_share_a_prompt_are_one(cluster, prompts, expected) -> None:
    assert whole(cluster, prompts) == expected


def test_names_do_not_hang_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    cluster = [None if one == 0 else f"text{one}" for one in rng.integers(0, 30, 80)]
    prompts = rng.integers(0, 60, 80)
    here = whole(cluster, prompts)
    order = rng.permutation(80)
    there = whole([cluster[row] for row in order], prompts[order])
    assert there == ([here[0][row] for row in order], *here[1:])
    for one in set(prompts):
        assert len({here[0][row] for row in np.flatnonzero(prompts == one)}) == 1


def test_it_is_told_how_many_prompts_repeat_and_nothing_where_none_was_parted() -> None:
    parted = with_prompts_whole(None, np.array([4, 5, 4, 5, 5, 6], dtype=np.uint64))
    assert parted.notes == [
        "2 prompts repeat, in 5 rows: rows of one prompt are one cluster and stay together, with the clusters that "
        "they are in"
    ]
    assert with_prompts_whole(None, np.arange(3, dtype=np.uint64)).notes == []
