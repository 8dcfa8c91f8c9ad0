"""Read-outs that stay on disk and are read in blocks: what a cache larger than memory hands to stages 2 and 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import LagerError
from ..machine import MEMORY_VARIABLE, memory_allowed

if TYPE_CHECKING:
    from .shard_files import ShardFiles

#: A read-out dataset of more bytes than this stays on disk: 400,000 items of 33 x 5.
KEPT_ON_DISK_ABOVE = 256 << 20
#: What strategies that need every read-out at once take, for each byte that is stored (float64, and copies of it).
_BYTES_FOR_EACH = 8


@dataclass(frozen=True)
class StoredReadouts:
    """Some rows of one read-out dataset; indexing reads them, `take` and leaving entries out do not.

    Parameters
    ----------
    files : ShardFiles
    name : {"logits", "logits_normed"}
    rows : ndarray of shape (n_items,)
        Row numbers in the cache.
    entries : range
        The entries of the layer axis that are there.
    """

    files: ShardFiles
    name: str
    rows: NDArray[np.intp]
    entries: range

    @property
    def shape(self) -> tuple[int, int, int]:
        """n_items, n_entries, n_labels."""
        return len(self.rows), len(self.entries), self.files.entry_shape[1]

    @property
    def ndim(self) -> int:
        """Three."""
        return 3

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """As it is stored."""
        return np.dtype(np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows in memory."""
        return 4 * int(np.prod(self.shape))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        """Read rows (an index, a slice or an array), or leave entries out: ``[:, :-1]`` reads nothing."""
        if not isinstance(key, tuple):
            return self._read(self.rows[key], slice(None))
        rows, entries = key
        if isinstance(entries, slice) and isinstance(rows, slice) and rows == slice(None):
            return replace(self, entries=self.entries[entries])
        return self._read(self.rows[rows], entries)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Read everything, where there is memory for it; see `check_memory`."""
        check_memory(self, what="this step")
        values = self._read(self.rows, slice(None))
        return values if dtype is None else values.astype(dtype)

    def take(self, rows: NDArray[Any] | slice) -> StoredReadouts:
        """Return the view on `rows` of this view, an index or boolean array or a slice; nothing is read."""
        return replace(self, rows=self.rows[rows])

    @property
    def is_whole(self) -> bool:
        """Whether every entry of the layer axis is there."""
        return self.entries == range(self.files.entry_shape[0])

    def _read(self, rows: Any, entries: Any) -> NDArray[np.float32]:
        kept = np.arange(self.entries.start, self.entries.stop, self.entries.step)[entries]
        wanted = np.atleast_1d(kept).tolist()
        whole = wanted == list(range(self.files.entry_shape[0]))
        values = self.files.read([self.name], np.atleast_1d(rows), entries=slice(None) if whole else wanted)[self.name]
        values = values if np.ndim(kept) else values[:, 0]
        return np.asarray(values if np.ndim(rows) else values[0])


def read_together(stored: Mapping[str, StoredReadouts]) -> dict[str, NDArray[Any]]:
    """Return several read-outs of the same rows and all entries, each shard opened once."""
    first = next(iter(stored.values()))
    if not all(one.rows is first.rows and one.is_whole for one in stored.values()):
        return {name: one[:] for name, one in stored.items()}
    return first.files.read([one.name for one in stored.values()], first.rows)


def is_small(readouts: NDArray[Any] | StoredReadouts) -> bool:
    """Return whether read-outs, for instance some rows of a large cache, may as well be in memory."""
    return readouts.nbytes <= KEPT_ON_DISK_ABOVE


def check_memory(readouts: NDArray[Any] | StoredReadouts, *, what: str, hidden: bool = False) -> None:
    """Raise `LagerError` when something needs all rows of stored read-outs at once and they do not fit."""
    if reason := too_large(readouts, hidden=hidden):
        raise LagerError(f"{what} {reason}")


def too_large(readouts: NDArray[Any] | StoredReadouts, *, hidden: bool = False) -> str | None:
    """Return why a strategy that needs every read-out at once cannot have them, None where it can."""
    if not isinstance(readouts, StoredReadouts) or is_small(readouts):
        return None
    if hidden:
        return f"needs the hidden states of all {len(readouts):,} items in memory: train on fewer with --limit"
    needed, allowed = _BYTES_FOR_EACH * readouts.nbytes, memory_allowed()
    if needed <= allowed:
        return None
    return (
        f"needs the read-outs of all {len(readouts):,} items in memory, about {needed / 1e9:.1f} GB of the "
        f"{allowed / 1e9:.1f} GB that it may take: train on fewer with --limit, or raise it ({MEMORY_VARIABLE}=64GB)"
    )
