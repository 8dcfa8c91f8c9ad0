"""Batches keep the budget, lose no row, and depend on lengths and budget alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lager.data.errors import LagerError
from lager.extract.readout.batches import plan_batches


@given(st.lists(st.integers(1, 500), max_size=60), st.integers(1, 2000))
def test_every_row_is_read_once_within_the_budget(lengths, budget):
    batches = plan_batches(lengths, batch_tokens=budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget


def test_rows_of_like_length_are_together_and_the_longest_come_first():
    assert plan_batches([3, 9, 4, 10], batch_tokens=20) == [[3, 1], [2, 0]]


def test_a_budget_below_one_is_refused():
    with pytest.raises(LagerError, match="--batch-tokens 0"):
        plan_batches([1], batch_tokens=0)
