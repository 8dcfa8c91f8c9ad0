"""The order in which a torch DataLoader visits its items, without torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def dataloader_orders(n_items: int, *, seed: int) -> Iterator[NDArray[np.intp]]:
    """Yield, epoch by epoch, the row order of ``DataLoader(shuffle=True)`` after ``torch.manual_seed(seed)``.

    Torch's CPU generator is the Mersenne twister that numpy has too. Each epoch draws two 64-bit numbers from it:
    a base seed for the workers, then the sampler's seed, whose low 32 bits start a second twister that
    drives a Fisher-Yates shuffle. Checked against torch 2.13.

    Yields
    ------
    ndarray of shape (n_items,)
    """
    words = _words(seed)
    while True:
        _draw_64(words)
        sampler = _words(_draw_64(words) & 0xFFFFFFFF)
        order = np.arange(n_items)
        for i in range(n_items - 1):
            j = i + next(sampler) % (n_items - i)
            order[i], order[j] = order[j], order[i]
        yield order


def _words(seed: int) -> Iterator[int]:
    """Yield the twister's 32-bit words."""
    # The legacy class is needed: only its integer seeding is that of torch.
    random = np.random.RandomState(seed & 0xFFFFFFFF)
    while True:
        yield from random.randint(0, 2**32, size=1024, dtype=np.uint32).tolist()


def _draw_64(words: Iterator[int]) -> int:
    """Return one non-negative 64-bit draw, high word first."""
    return (next(words) << 32 | next(words)) & (2**63 - 1)
