"""What each shard is expected to cost, from the items' fields alone: nothing is rendered or tokenised for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# What an item costs beside its own text, in characters: the criterion, the template's end, the read-out. It is of the
# order of the 40 tokens that follow the text in the bundled templates.
ITEM_CHARACTERS = 200
# Above this many items shards are so many that their costs need not be known: work is taken over shard by shard.
MOST_ITEMS = 200_000


def shard_costs(
    fields: Iterable[Mapping[str, Any]], *, n_items: int, shard_size: int, share_prefixes: bool
) -> list[int]:
    """Return the expected cost of each shard, in characters that are computed.

    Where prefixes are shared, a field that has the same value as in the item before costs nothing, but at the
    beginning of a shard.

    Parameters
    ----------
    fields : iterable of mapping
        The fields of each item, in input order; not read when there are more than `MOST_ITEMS`.
    n_items, shard_size : int
        How many items there are, and how many a shard has.
    share_prefixes : bool
        Whether what the prompts of a shard share is computed once.
    """
    rows = [min(shard_size, n_items - start) for start in range(0, n_items, shard_size)]
    if n_items > MOST_ITEMS:
        return rows
    costs = [ITEM_CHARACTERS * n for n in rows]
    before: Mapping[str, Any] = {}
    for row, item in enumerate(fields):
        shard, place = divmod(row, shard_size)
        if not share_prefixes or not place:
            before = {}
        costs[shard] += sum(_length(value) for name, value in item.items() if before.get(name) != value)
        before = item
    return costs


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(str(value))
