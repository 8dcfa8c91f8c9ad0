"""Rows of shards: taking some, joining several, and how far two readings of the same items lie apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..items.item_table import GENERATED, ITEM
from .shards import ShardData

# Two readings of one prompt agree to this much, relative to values above 1: batches and devices change low bits.
TOLERANCE = 1e-4
# Hidden states are stored as float16 between -1 and 1: one step there.
_HIDDEN_STEP = 2.0**-10
_HIDDEN = re.compile(r"hidden_(?!scale_)")


def take_rows(
    data: ShardData, rows: slice | NDArray[Any] | Sequence[int], *, drop: frozenset[str] = frozenset()
) -> ShardData:
    """Return some rows of a shard, without the optional datasets named in `drop`."""
    index = np.arange(len(data))[rows]
    taken = {
        name: [values[i] for i in index] if isinstance(values, list) else values[index]
        for name, values in data.datasets().items()
        if name not in drop
    }
    return _shard(taken)


def join_rows(parts: Sequence[ShardData]) -> ShardData:
    """Return the rows of several shards that have the same datasets, one after the other."""
    if len(parts) == 1:
        return parts[0]
    columns = [part.datasets() for part in parts]
    joined: dict[str, Any] = {
        name: [text for column in columns for text in column[name]]
        if isinstance(values, list)
        else np.concatenate([column[name] for column in columns])
        for name, values in columns[0].items()
    }
    return _shard(joined)


def repacked(parts: Iterable[ShardData], size: int) -> Iterator[ShardData]:
    """Yield the rows of `parts` in shards of `size` rows, the last one shorter; little more is held than one."""
    waiting: list[ShardData] = []
    for part in parts:
        rest = part
        while len(rest):
            room = size - sum(map(len, waiting))
            waiting.append(take_rows(rest, slice(0, room)))
            rest = take_rows(rest, slice(room, None))
            if len(waiting[-1]) == room:
                yield join_rows(waiting)
                waiting = []
    if waiting:
        yield join_rows(waiting)


def row_differences(mine: ShardData, theirs: ShardData) -> dict[str, NDArray[np.float64]]:
    """Return how far the rows of two shards lie apart, row by row.

    Parameters
    ----------
    mine, theirs : ShardData
        As many rows of the same items. Datasets that only one of them has are not compared, nor are item rows
        and generated text.

    Returns
    -------
    dict of str to ndarray of shape (n_rows,)
        By dataset the largest difference, relative to values above 1; infinite where text, whole numbers or shapes
        differ, and where only one is NaN.
    """
    others = theirs.datasets()
    return {
        name: _distance(values, others[name])
        for name, values in mine.datasets().items()
        if name in others and name not in (ITEM, GENERATED)
    }


def exceeding(differences: Mapping[str, NDArray[np.float64]], tolerance: float) -> dict[str, NDArray[np.bool_]]:
    """Return by dataset which rows differ by more than `tolerance`, or by more than a step of float16 where stored so.

    Shape of each: (n_rows,).
    """
    return {
        name: far > (max(tolerance, _HIDDEN_STEP) if _HIDDEN.match(name) else tolerance)
        for name, far in differences.items()
    }


def _distance(mine: Any, theirs: Any) -> NDArray[np.float64]:
    if isinstance(mine, list):
        return np.array([0.0 if a == b else np.inf for a, b in zip(mine, theirs, strict=True)])
    if mine.shape != theirs.shape:
        return np.full(len(mine), np.inf)
    a, b = (values.reshape(len(mine), -1) for values in (mine, theirs))
    if mine.dtype.kind != "f":
        return np.where((a != b).any(axis=1), np.inf, 0.0)
    a, b = a.astype(np.float64), b.astype(np.float64)
    far = np.abs(a - b) / np.maximum(1, np.maximum(np.abs(a), np.abs(b)))
    far[np.isnan(a) & np.isnan(b)] = 0
    far[np.isnan(a) != np.isnan(b)] = np.inf
    return far.max(axis=1, initial=0)


def _shard(columns: dict[str, Any]) -> ShardData:
    names = set(ShardData.__dataclass_fields__) - {"optional"}
    fixed = {name: values for name, values in columns.items() if name in names}
    return ShardData(**fixed, optional={name: values for name, values in columns.items() if name not in names})
