"""Batches of similar length under a budget of padded tokens."""

from __future__ import annotations

from collections.abc import Sequence

from ..data.errors import LagerError

DEFAULT_BATCH_TOKENS = 8192


def plan_batches(lengths: Sequence[int], *, batch_tokens: int = DEFAULT_BATCH_TOKENS) -> list[list[int]]:
    """Return rows in batches: longest first, each at most `batch_tokens` after padding.

    A prompt longer than the budget is a batch by itself. The plan depends on the lengths and the budget alone.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each row.
    batch_tokens : int
        Rows of a batch times the tokens of its longest.
    """
    if batch_tokens < 1:
        raise LagerError(f"--batch-tokens {batch_tokens}: expected at least 1")
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    for row in order:
        # The first row of a batch is its longest, so it sets the width.
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
