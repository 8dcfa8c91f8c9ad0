"""Reading the rows of a shard of which some were read before, for another item list of the same cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...data.cache.shard_rows import join_rows, take_rows
from ...data.cache.shards import ShardData
from ...data.items.item_table import GENERATED
from ...data.run.set_aside import EarlierRows
from ..planning.plan import Plan
from ..planning.planner import Planner
from .shard_reader import ShardReader


class ReadRows(NamedTuple):
    """The rows of a shard.

    Attributes
    ----------
    data : ShardData
        All of them, in input order.
    tokens : int
        Of the prompts that were read now.
    before : list of dict
        What reading the others cost when they were read.
    """

    data: ShardData
    tokens: int
    before: list[dict[str, Any]]


def stored_optionally(planner: Planner, poolings: Sequence[str], *, keep_text: bool) -> list[str]:
    """Return the optional datasets that the shards of a run have, item rows aside."""
    hidden = [name for pooling in poolings for name in (f"hidden_{pooling}", f"hidden_scale_{pooling}")]
    written = ["label_form", *([GENERATED] if keep_text else [])] if planner.condition.generates else []
    return hidden + written


def read_or_take(
    reader: ShardReader, earlier: EarlierRows, item_id: Sequence[str], plan: Plan, *, salt: bytes,
    advance: Callable[[int], None],
) -> ReadRows:  # fmt: skip
    """Take the rows over that were read before, and read the others."""
    taken = earlier.take(item_id, plan.hashes(salt=salt))
    if taken.data is None:
        data = reader.read(item_id, plan, salt=salt)
        return ReadRows(data, int(data.n_tokens[data.valid].sum()), [])
    advance(len(taken.rows))
    left = np.setdiff1d(np.arange(len(plan)), taken.rows)
    if not len(left):
        return ReadRows(take_rows(taken.data, np.argsort(taken.rows)), 0, taken.costs)
    read = reader.read([item_id[i] for i in left], plan.take(left.tolist()), salt=salt)
    order = np.argsort(np.concatenate([taken.rows, left]))
    data = take_rows(join_rows([taken.data, read]), order)
    return ReadRows(data, int(read.n_tokens[read.valid].sum()), taken.costs)
