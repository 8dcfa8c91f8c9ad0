"""The training objective over read-outs that do not fit in memory: exact, a pass over a working copy for each value."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.stored_readouts import StoredReadouts
from ...data.errors import LagerError
from ...data.scale import Scale
from .mixture_loss import MixtureLoss, label_major
from .training_data import RELEASED_ALPHA, counted_items, not_finite, unit_of
from .training_targets import target_distributions

# Few enough items for a block's logits and what is computed from them to stay near the processor.
_BLOCK_ITEMS = 2048


@dataclass(frozen=True)
class StreamedLoss:
    """The loss of preset converged, summed over blocks of items that lie in a temporary file.

    Each block is a `MixtureLoss`: the formula stands there alone. A loss in memory is not read through this class, as a
    block of all items would be: it keeps its logits as float64, laid out once, and is cut by items and by entries.

    The file holds each block's centred logits as float32, label-major, and its targets: 4 bytes for each stored number,
    in the folder for temporary files (``TMPDIR``), gone when the `with` block ends or the process dies.

    Parameters
    ----------
    file : binary file
    n_entries, n_items : int
    human : ndarray of shape (n_items,)
    values : ndarray of shape (n_labels,)
    unit, alpha : float
        As in `MixtureLoss`.
    weight : ndarray of shape (n_items,) or 1
        How much each item counts; their mean is 1.
    group, n_groups
        As in `MixtureLoss`.
    """

    file: IO[bytes]
    n_entries: int
    human: NDArray[np.float64]
    values: NDArray[np.float64]
    unit: float
    alpha: float
    weight: NDArray[np.float64] | float
    group: NDArray[np.intp] | None = None
    n_groups: int = 0

    @property
    def n_intercepts(self) -> int:
        """As in `MixtureLoss`."""
        return self.n_groups * len(self.values)

    @property
    def n_items(self) -> int:
        """The number of items."""
        return len(self.human)

    def __call__(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient with respect to the weights."""
        total, gradient = 0.0, np.zeros(len(weights))
        for block in self._blocks():
            value, slope = block(weights)
            share = len(block.human) / self.n_items
            total += share * value
            gradient += share * slope
        return total, gradient

    def sizes(self) -> NDArray[np.float64]:
        """Return the root mean square of each entry's logits, shape (n_entries,)."""
        squares = np.zeros(self.n_entries)
        for block in self._blocks():
            squares += block.sizes() ** 2 * len(block.human)
        return np.sqrt(squares / self.n_items)

    def _blocks(self) -> Iterator[MixtureLoss]:
        """Read the file from its start."""
        n_labels = len(self.values)
        self.file.seek(0)
        for first in range(0, self.n_items, _BLOCK_ITEMS):
            rows = slice(first, min(first + _BLOCK_ITEMS, self.n_items))
            n = rows.stop - rows.start
            logits = np.empty((self.n_entries, n_labels, n), np.float32)
            targets = np.empty((n_labels, n))
            for values in (logits, targets):
                if self.file.readinto(values.data.cast("B")) != values.nbytes:  # type: ignore[attr-defined]
                    raise LagerError("the working copy of the read-outs was cut off: is the temporary folder intact?")
            yield MixtureLoss(
                logits.astype(np.float64), targets, self.human[rows], self.values, self.unit, self.alpha, "squared",
                self.weight[rows] if isinstance(self.weight, np.ndarray) else self.weight,
                None if self.group is None else self.group[rows], self.n_groups,
            )  # fmt: skip

    def __enter__(self) -> StreamedLoss:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the working copy."""
        self.file.close()


def streamed_loss(
    logits: StoredReadouts,
    human: NDArray[np.float64],
    *,
    scale: Scale,
    target: NDArray[np.float64] | None = None,
    weight: NDArray[np.float64] | None = None,
) -> StreamedLoss:
    """Lay the read-outs out for training, in one pass over the cache; parameters as `converged_loss`."""
    logits, human, target, shares = counted_items(logits, human, scale=scale, target=target, weight=weight)
    file = tempfile.TemporaryFile(prefix="lager-")  # noqa: SIM115  closed by StreamedLoss
    try:
        bad = _lay_out(file, logits, human, scale, target)
    except OSError as error:
        file.close()
        raise LagerError(
            f"no room for a working copy of the read-outs, {logits.nbytes / 1e9:.1f} GB, in {tempfile.gettempdir()} "
            f"({error.strerror or error}): set TMPDIR to a folder with more, or train on fewer items with --limit"
        ) from None
    if bad:
        file.close()
        raise not_finite(bad, len(human))
    return StreamedLoss(file, logits.shape[1], human, scale.array, unit_of(scale), RELEASED_ALPHA, shares)


def _lay_out(
    file: IO[bytes],
    logits: StoredReadouts,
    human: NDArray[np.float64],
    scale: Scale,
    target: NDArray[np.float64] | None,
) -> int:
    """Write every block, and return how many items have read-outs that are not finite."""
    bad = 0
    step = 8 * _BLOCK_ITEMS
    for first in range(0, len(human), step):
        read: NDArray[Any] = logits[first : first + step]
        bad += int((~np.isfinite(read).all(axis=(1, 2))).sum())
        for inner in range(0, len(read), _BLOCK_ITEMS):
            block = read[inner : inner + _BLOCK_ITEMS]
            rows = slice(first + inner, first + inner + len(block))
            with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is counted and refused
                laid_out = label_major(block).astype(np.float32)
            targets = target_distributions(human[rows], scale.array, None if target is None else target[rows])
            file.write(laid_out.data)
            file.write(np.ascontiguousarray(targets).data)
    file.flush()
    return bad
