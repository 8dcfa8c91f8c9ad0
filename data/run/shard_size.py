"""How many rows a shard has, where nobody says: so that work can be shared out, and files stay few."""

from __future__ import annotations

# Small sets are cut finely: eight workers still share 6,400 items evenly, and 64 prompts fill a batch of most sizes.
SMALL_ROWS, SMALL_ITEMS = 64, 1 << 15
USUAL_ROWS = 512
# More files are slow to list, and make a manifest of many megabytes.
MOST_SHARDS = 50_000


def suggested_shard_size(n_items: int) -> int:
    """Return the rows of a shard, which follow from the number of items alone.

    The same items are cut alike however many workers read them, so that their read-outs are the same to the last bit.
    """
    if n_items <= SMALL_ITEMS:
        return SMALL_ROWS
    rows = USUAL_ROWS
    while rows * MOST_SHARDS < n_items:
        rows *= 2
    return rows


def shard_advice(n_items: int, n_shards: int, *, n_workers: int) -> str | None:
    """Return what to say where shards are too many for a folder or too few for the workers; None elsewhere."""
    if n_shards > MOST_SHARDS:
        rows = suggested_shard_size(n_items)
        return f"{n_shards} shards are slow to list and to finalise: --shard-size {rows} would make fewer of them"
    if n_shards < n_workers:
        return (
            f"{n_shards} shards for {n_workers} workers: {n_workers - n_shards} have nothing to read; a smaller "
            "--shard-size, in a new folder, makes more"
        )
    return None
