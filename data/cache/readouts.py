"""Read-outs of many items in memory: what strategies are fitted on and score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..scale import Scale
from .stored_readouts import StoredReadouts, read_together


@dataclass(frozen=True)
class Readouts:
    """Row-aligned arrays of n items, as `FeatureCache.readouts` returns them.

    Parameters
    ----------
    item_id : ndarray of shape (n_items,), dtype object, or None
        Ids as str; None where they were not read.
    logits : ndarray of shape (n_items, n_layers + 1, n_labels), float32
        Score-token logits of every layer entry: ``h_l . W_U[M]``. `StoredReadouts` where they stay on disk: `loaded`
        and `blocks` read them.
    logits_normed : ndarray of shape (n_items, n_layers + 1, n_labels), float32, or StoredReadouts
        The same through the model's final norm and head. The last entry is the model's own logits.
    n_tokens : ndarray of shape (n_items,)
        Prompt length in tokens.
    human : ndarray of shape (n_items,)
        Mean human score on the scale, NaN where there is none.
    group, cluster : ndarray of shape (n_items,), dtype object, or None
        Criterion, and shared source text; None where the cache declares none. Rows of one prompt are in one cluster.
    scale : Scale
        The labels of the last axis.
    target : ndarray of shape (n_items, n_labels), or None
        Distribution of each item's annotators over the labels, NaN where there is none; None where only means are kept.
    weight : ndarray of shape (n_items,), or None
        How much each item counts in fitting; None for all the same.
    pooled : bool
        Whether scores are to agree over all items at once although there are groups; otherwise within groups.
    hidden : mapping of str to ndarray of shape (n_items, n_layers + 1, n_dimensions)
        Hidden states by pooling; empty where none are kept.
    """

    item_id: NDArray[np.object_] | None
    logits: NDArray[np.float32]
    logits_normed: NDArray[np.float32]
    n_tokens: NDArray[np.int32]
    human: NDArray[np.float64]
    group: NDArray[np.object_] | None
    cluster: NDArray[np.object_] | None
    scale: Scale
    target: NDArray[np.float64] | None = None
    weight: NDArray[np.float64] | None = None
    pooled: bool = False
    hidden: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.human)

    def take(self, rows: NDArray[Any] | slice) -> Readouts:
        """Return the read-outs of `rows`, an index or boolean array or a slice; stored ones stay on disk."""
        return Readouts(
            item_id=None if self.item_id is None else self.item_id[rows],
            logits=_take_readouts(self.logits, rows),
            logits_normed=_take_readouts(self.logits_normed, rows),
            n_tokens=self.n_tokens[rows],
            human=self.human[rows],
            group=None if self.group is None else self.group[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
            scale=self.scale,
            target=None if self.target is None else self.target[rows],
            weight=None if self.weight is None else self.weight[rows],
            pooled=self.pooled,
            hidden=_take_states(self.hidden, rows),
        )

    @property
    def stored(self) -> bool:
        """Whether the read-outs are still on disk."""
        return isinstance(self.logits, StoredReadouts) or isinstance(self.logits_normed, StoredReadouts)

    def blocks(self, names: Sequence[str] = ("logits", "logits_normed")) -> Iterator[tuple[slice, Readouts]]:
        """Yield the items in order with the named read-outs in memory: their places, and a part of the read-outs.

        One that is not stored comes as it is, in one part.
        """
        if not self.stored:
            yield slice(0, len(self)), self
            return
        for rows in row_blocks(len(self)):
            places = slice(rows.start, rows.stop)
            yield places, self.take(places).loaded(names)

    def loaded(self, names: Sequence[str] = ("logits", "logits_normed")) -> Readouts:
        """Return the same with the named read-outs in memory, both read at once."""
        stored = {name: one for name in names if isinstance(one := getattr(self, name), StoredReadouts)}
        read: dict[str, Any] = read_together(stored) if stored else {}
        return replace(self, **read)


def _take_readouts(readouts: Any, rows: NDArray[Any] | slice) -> Any:
    return readouts.take(rows) if isinstance(readouts, StoredReadouts) else readouts[rows]


def _take_states(hidden: Mapping[str, NDArray[Any]], rows: NDArray[Any] | slice) -> Mapping[str, NDArray[Any]]:
    if isinstance(hidden, PooledStates):
        return hidden.take(rows)
    return {pooling: states[rows] for pooling, states in hidden.items()}


@dataclass(frozen=True)
class PooledStates(Mapping[str, NDArray[np.float32]]):
    """Hidden states by pooling, ndarrays of shape (n_items, n_layers + 1, d).

    Nothing is read before a pooling is asked for: strategies that use read-outs only do not pay for the states.

    Parameters
    ----------
    read : callable
        Takes a pooling and row numbers, and returns the states of those items.
    poolings : tuple of str
        What there is.
    rows : ndarray of int
        The items that this view holds.
    """

    read: Callable[[str, NDArray[np.intp]], NDArray[np.float32]]
    poolings: tuple[str, ...]
    rows: NDArray[np.intp]

    def __getitem__(self, pooling: str) -> NDArray[np.float32]:
        """Return the states of one pooling."""
        if pooling not in self.poolings:
            raise KeyError(pooling)
        return self.read(pooling, self.rows)

    def __iter__(self) -> Iterator[str]:
        """Name the poolings."""
        return iter(self.poolings)

    def __len__(self) -> int:
        """Return the number of poolings."""
        return len(self.poolings)

    def take(self, rows: NDArray[Any] | slice) -> PooledStates:
        """Return the view on `rows` of this view, an index or boolean array or a slice."""
        return PooledStates(self.read, self.poolings, self.rows[rows])


#: Rows that are worked on at once: 11 MB of a 33 x 5 read-out.
BLOCK_ROWS = 16_384


def row_blocks(n_rows: int) -> Iterator[range]:
    """Yield rows 0 to n_rows - 1 in blocks of `BLOCK_ROWS`."""
    for first in range(0, n_rows, BLOCK_ROWS):
        yield range(first, min(first + BLOCK_ROWS, n_rows))
