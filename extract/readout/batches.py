"""Batches of similar length under a budget of padded tokens."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ..options.groups import DEFAULT_BATCH_TOKENS


def plan_batches(
    lengths: Sequence[int], *, batch_tokens: int = DEFAULT_BATCH_TOKENS, borders: Sequence[int] = ()
) -> list[list[int]]:
    """Return rows in batches: longest first, each at most `batch_tokens` after padding.

    A prompt longer than the budget is a batch by itself. The plan depends on these arguments alone.
    """
    if batch_tokens < 1:
        raise LagerError(f"--batch-tokens {batch_tokens}: expected at least 1")
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    for row in order:
        # The first row of a batch is its longest, so it sets the width.
        longest = lengths[batches[-1][0]] if batches else 0
        same_side = side_of(lengths[row], borders) == side_of(longest, borders)
        if batches and same_side and longest * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def equal_rows(prompts: Iterable[NDArray[np.int32]]) -> list[list[int]]:
    """Return the rows of each different prompt: read in two places of a batch, its numbers would differ in low bits."""
    rows: dict[bytes, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows.setdefault(prompt.tobytes(), []).append(row)
    return list(rows.values())


def side_of(length: int, borders: Sequence[int]) -> int:
    """Return how many of some ascending borders a length has passed."""
    return bisect_left(borders, length)


# How CUDA, MPS and the CPU allocator say it; the first is also a class of its own, a RuntimeError.
_SAYINGS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory", "alloc_failed")

T = TypeVar("T")


@dataclass
class BatchBudget:
    """The padded tokens of a batch: what was asked for, less once memory did not hold it.

    Parameters
    ----------
    tokens : int
        Padded tokens.
    say : callable
        Takes the line that tells of a smaller budget; it is told once.
    lowered : bool
        Whether memory has run out.
    """

    tokens: int
    say: Callable[[str], None]
    lowered: bool = False

    def read(
        self, lengths: Sequence[int], read: Callable[[list[int], int], Iterable[tuple[list[int], T]]]
    ) -> Iterator[tuple[list[int], T]]:
        """Read rows batch by batch; those that memory does not hold are read again in smaller batches."""
        left = list(range(len(lengths)))
        while left:
            try:
                for rows, result in read(left, self.tokens):
                    yield rows, result
                    left = sorted(set(left) - set(rows))
                return
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                message = (str(error) or type(error).__name__).splitlines()[0][:120]
            # Past the `except` block nothing holds on to the failed pass any more.
            _free_memory()
            self._lower([lengths[row] for row in left], message)

    def _lower(self, lengths: Sequence[int], message: str) -> None:
        """Halve the budget; an error where a single row was too much."""
        tokens = min(self.tokens, max(lengths) * len(lengths))
        if tokens <= min(lengths):
            raise LagerError(
                f"a prompt of up to {max(lengths)} tokens does not fit into memory ({message}): choose a smaller "
                "--dtype or --quantize, spread the weights with --device auto, or cut a field with --truncate-field"
            )
        self.tokens = tokens // 2
        if not self.lowered:
            self.say(
                f"out of memory: going on with batches of {self.tokens} padded tokens, and fewer where need be; "
                "--batch-tokens sets them"
            )
        self.lowered = True


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on a device or on the host."""
    return any(saying in str(error).lower() for saying in _SAYINGS) or type(error).__name__ == "OutOfMemoryError"


def _free_memory() -> None:
    """Give memory that the failed pass held back to the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
