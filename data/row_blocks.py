"""Rows in blocks, where not all are in memory."""

from __future__ import annotations

from collections.abc import Iterator

#: Rows that are worked on at once: 11 MB of a 33 x 5 read-out.
BLOCK_ROWS = 16_384


def row_blocks(n_rows: int) -> Iterator[range]:
    """Yield rows 0 to n_rows - 1 in blocks of `BLOCK_ROWS`."""
    for first in range(0, n_rows, BLOCK_ROWS):
        yield range(first, min(first + BLOCK_ROWS, n_rows))
