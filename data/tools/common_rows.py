"""Items that several caches have: kept once, after what the caches say of them was compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..cache.feature_cache import FeatureCache
from ..cache.shard_rows import exceeding, row_differences, take_rows
from ..cache.shards import ShardData, optional_names, row_digests
from ..errors import LagerError
from ..items.item_table import GENERATED, ITEM, TEXT

_TEXTS = (TEXT, GENERATED)


class CommonRows:
    """Tells which rows of several caches are kept: of each item those of the first cache that has it.

    Parameters
    ----------
    caches : sequence of FeatureCache
        Of one fingerprint.
    tolerance : float
        How far the values of one item may lie apart; see `lager.data.cache.shard_rows.row_differences`.

    Raises
    ------
    LagerError
        When an item has other human scores or columns in a later cache.
    """

    def __init__(self, caches: Sequence[FeatureCache], *, tolerance: float) -> None:
        self.caches, self.tolerance = caches, tolerance
        places = pl.concat(
            cache.items.select("item_id").with_row_index("row").with_columns(cache=pl.lit(n, pl.UInt32))
            for n, cache in enumerate(caches)
        )
        kept = places.unique("item_id", keep="first", maintain_order=True)
        # A line for each row that an earlier cache has too: its place, and the place of the one that is kept.
        self._repeated = places.join(kept, on="item_id", suffix="_kept", maintain_order="left").filter(
            pl.col("cache") > pl.col("cache_kept")
        )
        self._digests: dict[str, bytes] = {}  # of kept rows that come again
        self._check_items()

    def kept_rows(self) -> Iterator[ShardData]:
        """Yield the rows that are kept, shard by shard.

        Generated text is left out unless every cache has it.
        """
        come_again = set(self._repeated["item_id"])
        # Item rows are written anew: columns that only some caches have are null in the others.
        drop = frozenset({ITEM} if all(map(_has_generated, self.caches)) else {ITEM, GENERATED})
        for n, cache in enumerate(self.caches):
            pairs = self._repeated.filter(pl.col("cache") == n)
            start = 0
            for k in range(len(cache.manifest["shards"])):
                data = cache.read_shard(k)
                here = pairs.filter(pl.col("row").is_between(start, start + len(data), closed="left"))
                again = here["row"].to_numpy() - start
                if len(again):
                    self._compare(n, take_rows(data, again), here)
                start += len(data)
                new = take_rows(data, np.setdiff1d(np.arange(len(data)), again), drop=drop)
                if marked := [i for i, item in enumerate(new.item_id) if item in come_again]:
                    rows = take_rows(new, marked)
                    self._digests |= zip(rows.item_id, row_digests(rows), strict=True)
                yield new

    def _compare(self, cache: int, rows: ShardData, places: pl.DataFrame) -> None:
        """Raise `LagerError` when a row says something else than the one that is kept of its item."""
        unequal = np.array([self._digests[i] != d for i, d in zip(rows.item_id, row_digests(rows), strict=True)])
        if not unequal.any():
            return
        rows, places = take_rows(rows, np.flatnonzero(unequal)), places.filter(unequal)
        for (earlier,), part in places.with_row_index("at").group_by("cache_kept", maintain_order=True):
            kept_in = self.caches[int(str(earlier))]
            for k, members in _by_shard(kept_in, part["row_kept"].to_numpy()):
                at = part["at"].to_numpy()[members]
                kept = take_rows(kept_in.read_shard(k[0]), part["row_kept"].to_numpy()[members] - k[1])
                self._check_rows(kept, take_rows(rows, at), kept_in, self.caches[cache])

    def _check_rows(self, kept: ShardData, others: ShardData, first: FeatureCache, other: FeatureCache) -> None:
        far = row_differences(kept, others)
        wrong = exceeding(far, self.tolerance)
        for i, item in enumerate(kept.item_id):
            names = [name for name in wrong if wrong[name][i]]
            if "prompt_sha256" in names:
                raise _refusal(item, first, other, "its prompt")
            if names:
                raise _refusal(item, first, other, ", ".join(_told(name, far[name][i]) for name in names))

    def _check_items(self) -> None:
        for (earlier, later), pairs in self._repeated.group_by("cache_kept", "cache", maintain_order=True):
            first, other = self.caches[int(str(earlier))], self.caches[int(str(later))]
            kept, others = first.items[pairs["row_kept"]], other.items[pairs["row"]]
            for name in kept.columns:
                if name in others.columns and name not in _TEXTS:
                    differ = (~kept[name].eq_missing(others[name])).arg_true()
                    if len(differ):
                        raise _refusal(kept["item_id"][differ[0]], first, other, f"its {name}")


def _by_shard(cache: FeatureCache, rows: NDArray[np.integer]) -> Iterator[tuple[tuple[int, int], NDArray[np.intp]]]:
    """Yield for each shard that `rows` lie in its number and first row, and which of `rows` lie there."""
    starts = np.cumsum([0, *(shard["rows"] for shard in cache.manifest["shards"])])
    shards = np.searchsorted(starts, rows, side="right") - 1
    for k in np.unique(shards):
        yield (int(k), int(starts[k])), np.flatnonzero(shards == k)


def _has_generated(cache: FeatureCache) -> bool:
    return all("generated" in optional_names(cache.path / shard["file"]) for shard in cache.manifest["shards"])


def _told(name: str, difference: float) -> str:
    return f"{name} by {difference:.2g}" if np.isfinite(difference) else name


def _refusal(item: str, first: FeatureCache, other: FeatureCache, what: str) -> LagerError:
    return LagerError(
        f"item {item!r} differs between caches {first.path} and {other.path}: {what}; extract the items of one of them "
        "again, or give the item another id there"
    )
