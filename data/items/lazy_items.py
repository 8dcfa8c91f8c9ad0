"""Items of a large file: looked through once, then read by their number, a shard at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..scale import Scale
from .items import ItemIds, Items, Kind, RowForm, ScoreMapping, hash_ids
from .large_files import RowFile
from .survey import Survey

_BLOCK = 4096
# Rows this far apart are read in one go: finding a row costs as much as reading some hundred.
_NEAR = 256


class ItemSource(Protocol):
    """Items that are in memory (`lager.data.items.items.Items`) or in a large file (`LazyItems`).

    Attributes
    ----------
    kind, scale, source, template
        As those of `lager.data.items.items.Items`.
    ids : ItemIds
        Number and hash of the ids.
    """

    @property
    def kind(self) -> Kind: ...  # noqa: D102
    @property
    def scale(self) -> Scale | None: ...  # noqa: D102
    @property
    def source(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def template(self) -> str | None: ...  # noqa: D102
    @property
    def ids(self) -> ItemIds: ...  # noqa: D102

    def __len__(self) -> int:
        """Return the number of items."""
        ...

    def part(self, rows: range) -> Items:
        """Return consecutive items."""
        ...

    def take(self, rows: Sequence[int]) -> ItemSource:
        """Return the items at `rows`, in that order."""
        ...

    def on_scale(self, scale: Scale, *, human_range: tuple[float, float] | None = None) -> ItemSource:
        """Return the items with human scores on `scale`; see `lager.data.items.items.Items.on_scale`."""
        ...


def blocks(items: ItemSource, *, size: int = _BLOCK) -> Iterator[Items]:
    """Yield all items, some thousand at a time."""
    for start in range(0, len(items), size):
        yield items.part(range(start, min(start + size, len(items))))


@dataclass(frozen=True)
class LazyItems:
    """Items of a large file, in input order; what `part` reads is not kept.

    Parameters
    ----------
    file : RowFile
        The rows.
    form : RowForm
        How they become items.
    survey : Survey
        Of the whole file.
    mapping : ScoreMapping or None
        Of the human scores.
    rows : ndarray of int or None
        The rows that were drawn; all when None.
    """

    file: RowFile
    form: RowForm
    survey: Survey
    mapping: ScoreMapping | None = None
    rows: NDArray[np.int64] | None = None
    scale: Scale | None = None
    template: str | None = None

    def __len__(self) -> int:
        """Return the number of items."""
        return self.file.n_rows if self.rows is None else len(self.rows)

    @property
    def kind(self) -> Kind:
        """What the items hold: fields, prompt or messages."""
        return self.form.kind

    @property
    def source(self) -> dict[str, Any]:
        """Where the items come from."""
        return {"file": self.form.path.name}

    @property
    def ids(self) -> ItemIds:
        """Number and hash of the ids."""
        return self.survey.ids if self.rows is None else hash_ids(block.item_id for block in blocks(self))

    def part(self, rows: range) -> Items:
        """Return consecutive items."""
        wanted = np.arange(rows.start, rows.stop) if self.rows is None else self.rows[rows.start : rows.stop]
        steps = np.diff(wanted)
        runs = np.split(wanted, np.flatnonzero((steps < 1) | (steps > _NEAR)) + 1) if len(wanted) else []
        parts = [self._picked(run) for run in runs]
        items = parts[0] if len(parts) == 1 else _joined(parts, self.form)
        return items if self.mapping is None else replace(items, table=self.mapping.apply(items.table))

    def take(self, rows: Sequence[int]) -> LazyItems:
        """Return the items at `rows`, in that order."""
        taken = np.asarray(rows, dtype=np.int64)
        return replace(self, rows=taken if self.rows is None else self.rows[taken])

    def on_scale(self, scale: Scale, *, human_range: tuple[float, float] | None = None) -> LazyItems:
        """Return the items with human scores on `scale`; see `lager.data.items.items.Items.on_scale`."""
        mapping = ScoreMapping.onto(scale, human_range)
        found = replace(self, mapping=None)
        if self.survey.lowest < mapping.low - 1e-9 or self.survey.highest > mapping.high + 1e-9:
            _check_scores(found, mapping)
        return replace(found, mapping=mapping)

    def _picked(self, rows: NDArray[np.int64]) -> Items:
        """Return rows that go up by small steps; what lies between is read, too."""
        start, stop = int(rows[0]), int(rows[-1]) + 1
        items = self.form.items(self.file.read(start, stop), start=start)
        return items if len(rows) == stop - start else items.take((rows - start).tolist())


def _joined(parts: Sequence[Items], form: RowForm) -> Items:
    import polars as pl

    if not parts:
        return form.items([])
    return replace(
        parts[0],
        item_id=tuple(name for part in parts for name in part.item_id),
        fields=tuple(fields for part in parts for fields in part.fields),
        table=pl.concat([part.table for part in parts]),
    )


def _check_scores(items: LazyItems, mapping: ScoreMapping) -> None:
    """Raise `LagerError` that counts the scores outside the range, when there are any among these items."""
    n_scores, n_outside, first = 0, 0, None
    for block in blocks(items):
        flat = block.table["scores"].explode(empty_as_null=False).drop_nulls()
        outside = flat.filter(mapping.outside(flat))
        n_scores, n_outside = n_scores + len(flat), n_outside + len(outside)
        first = outside[0] if first is None and len(outside) else first
    if first is not None:
        raise mapping.error(n_outside, n_scores, first=first)
