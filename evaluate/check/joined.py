"""Two readings joined by id: one row for each item that either has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.items.item_table import mean_scores, object_column
from ...data.items.score_files import read_human_scores
from .reading import Reading

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Joined:
    """The items of two readings.

    Parameters
    ----------
    baseline, new : Reading
    ids : list of str
    at_baseline, at_new : ndarray of int
        The row here of each item of a reading.
    human : ndarray of shape (n_items,)
        NaN where there is none.
    group, cluster : ndarray of shape (n_items,) of str or None, or None
    """

    baseline: Reading
    new: Reading
    ids: list[str]
    at_baseline: NDArray[np.intp]
    at_new: NDArray[np.intp]
    human: NDArray[np.float64]
    group: NDArray[np.object_] | None
    cluster: NDArray[np.object_] | None

    @classmethod
    def of(cls, baseline: Reading, new: Reading) -> Joined:
        """Join two readings; refuse other scales, and other human scores under the same ids."""
        if baseline.cache is not None and new.cache is not None and baseline.cache.scale != new.cache.scale:
            raise LagerError(
                f"the scales differ ({baseline.cache.scale} and {new.cache.scale}): extract both on the same"
            )
        ids = list(dict.fromkeys([*baseline.ids, *new.ids]))
        row_of = {item: row for row, item in enumerate(ids)}
        then, now = (np.array([row_of[item] for item in one.ids], dtype=np.intp) for one in (baseline, new))
        human = np.full((2, len(ids)), np.nan)
        human[0, then], human[1, now] = baseline.human, new.human
        if n := int((np.abs(human[0] - human[1]) > _ROUNDING).sum()):
            raise LagerError(
                f"{n} items have other human scores in {new.name} than in {baseline.name}: under the same ids they are "
                "not the same items; compare readings of the same"
            )
        known = np.where(np.isnan(human[0]), human[1], human[0])
        group = _labels(len(ids), (new.group, now), (baseline.group, then))
        cluster = _labels(len(ids), (new.cluster, now), (baseline.cluster, then))
        return cls(baseline, new, ids, then, now, known, group, cluster)

    def with_human_scores(self, path: Path) -> Joined:
        """Return the same with the human scores of a file, and its groups and clusters where it has any."""
        table = read_human_scores(path, None if self.baseline.cache is None else self.baseline.cache.scale)
        row_of = {item: row for row, item in enumerate(self.ids)}
        known = [item in row_of for item in table["item_id"]]
        if not any(known):
            raise LagerError(f"{path}: none of its {len(known)} ids is among the {len(self.ids)} items: check the ids")
        table = table.filter(known)
        places = np.array([row_of[item] for item in table["item_id"]], dtype=np.intp)
        human = np.full(len(self.ids), np.nan)
        human[places] = mean_scores(table["scores"])
        group, cluster = (
            given if (column := object_column(table, name)) is None else _labels(len(self.ids), (column, places))
            for name, given in (("group", self.group), ("cluster", self.cluster))
        )
        return replace(self, human=human, group=group, cluster=cluster)

    def scores(self, judge: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a judge's scores then and now, NaN where it has none."""
        out = np.full((2, len(self.ids)), np.nan)
        out[0, self.at_baseline], out[1, self.at_new] = self.baseline.judges[judge], self.new.judges[judge]
        return out[0], out[1]


def _labels(n: int, *columns: tuple[NDArray[np.object_] | None, NDArray[np.intp]]) -> NDArray[np.object_] | None:
    """Return the labels of all items, of later columns where several have one; None where none has any."""
    out, found = np.full(n, None, dtype=object), False
    for column, places in columns:
        if column is not None:
            out[places], found = column, True
    return out if found else None
