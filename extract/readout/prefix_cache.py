"""Keys and values of shared prefixes: each token kept once, forked into the rows of a pass block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from ..model.on_device import on_device
from .steps import Step

Index = NDArray[np.int64]


class PrefixCache:
    """The pool of one model; a step's pass is made with `past_key_values` after `begin`, and followed by `end`.

    The forked keys and values of a block live while the block runs: what stays is the pool, without copies.

    Parameters
    ----------
    n_layers : int
        Blocks of the model.
    """

    def __init__(self, n_layers: int) -> None:
        self._layers = [_ForkedLayer() for _ in range(n_layers)]
        self.past_key_values: Any = Cache(layers=cast(Any, self._layers))

    @property
    def n_tokens(self) -> int:
        """The length of the pool."""
        return self._layers[0].n_tokens

    def begin(self, step: Step) -> None:
        """Cut the pool, and say which of it each row continues and what of the row is added."""
        index = np.stack([_positions(segment.spans) for segment in step.segments])
        places = on_device(*map(torch.from_numpy, (index, *_kept(step))))
        for layer in self._layers:
            layer.begin(step, places)

    def end(self) -> None:
        """Add to the pool what the step keeps."""
        for layer in self._layers:
            layer.end()


class _ForkedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One block's part of the pool, shape (n_tokens, n_heads, d_head) for keys and for values.

    It is a `DynamicLayer` without a window: a block with a sliding window masks what lies before it.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._pool: tuple[Tensor, Tensor] | None = None
        self._added: tuple[Tensor, Tensor] | None = None
        self._places: Callable[[torch.device], tuple[Tensor, ...]] = on_device()
        self._prefix = 0

    @property
    def n_tokens(self) -> int:
        return 0 if self._pool is None else len(self._pool[0])

    def begin(self, step: Step, places: Callable[[torch.device], tuple[Tensor, ...]]) -> None:
        self._prefix, self._places, self._added = step.prefix, places, None
        pool = step.pool
        # A copy, so that the memory of what is cut is given back.
        if self._pool is not None and self.n_tokens > pool:
            self._pool = (self._pool[0][:pool].clone(), self._pool[1][:pool].clone()) if pool else None

    def end(self) -> None:
        if self._added is None:
            return
        old, new = self._pool, self._added
        self._pool = new if old is None else (torch.cat([old[0], new[0]]), torch.cat([old[1], new[1]]))
        self._added = None

    def get_seq_length(self) -> int:
        return self._prefix

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        index, rows, columns = self._places(key_states.device)
        if len(rows):
            self._added = key_states[rows, :, columns], value_states[rows, :, columns]
        if not self._prefix:
            return key_states, value_states
        if self._pool is None:
            raise RuntimeError("the pass before this one kept no keys and values")
        return _forked(self._pool[0], index, key_states), _forked(self._pool[1], index, value_states)


def _forked(pool: Tensor, index: Tensor, states: Tensor) -> Tensor:
    """Return the states of each row after those of its prefix, shape (n, n_heads, prefix + n_tokens, d_head)."""
    return torch.cat([pool[index].transpose(1, 2), states], dim=2)


def _positions(spans: Sequence[tuple[int, int]]) -> Index:
    """Return every position of some spans."""
    return np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(*span) for span in spans)])


def _kept(step: Step) -> tuple[Index, Index]:
    """Return row and column, in the pass, of each token that is added to the pool, in the pool's order."""
    spans = [(segment.keep_from - step.prefix, segment.stop - step.prefix) for segment in step.segments]
    rows = np.repeat(np.arange(len(spans)), [stop - start for start, stop in spans])
    return rows, _positions(spans)
