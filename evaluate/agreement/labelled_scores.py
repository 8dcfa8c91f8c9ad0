"""Scores of several judges beside human scores: checked, and cut down to the items that humans scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..weighted.labels import Labels
from ..weighted.score_arrays import as_numbers
from .fold_scores import FoldScores

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True)
class LabelledScores:
    """Row-aligned arrays of the n items that have a human score.

    Parameters
    ----------
    human : ndarray of shape (n_items,)
        Human scores, finite.
    scores : mapping of str to ndarray of shape (n_items,)
        Each judge's scores, NaN where it has none.
    group, cluster, system : Labels or None
        None where nothing is declared.
    together : Labels or None
        What is drawn or left out as a whole where no clusters are declared.
    folded : mapping of str to FoldScores
        Judges that were fitted by folds.
    """

    human: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.float64]]
    group: Labels | None
    cluster: Labels | None
    system: Labels | None
    together: Labels | None = None
    folded: Mapping[str, FoldScores] = field(default_factory=dict)

    @classmethod
    def check(
        cls,
        human: ArrayLike,
        scores: Mapping[str, ArrayLike],
        *,
        group: ArrayLike | pl.Series | None,
        cluster: ArrayLike | pl.Series | None,
        system: ArrayLike | pl.Series | None,
        together: ArrayLike | pl.Series | None = None,
        folded: Mapping[str, FoldScores] | None = None,
    ) -> LabelledScores:
        """Read arrays as a user gives them."""
        truth = _numbers(human, "the human scores", None)
        judged = {name: _numbers(values, f"the scores of {name}", len(truth)) for name, values in scores.items()}
        labelled = ~np.isnan(truth)
        if not judged:
            raise LagerError("no scores to compare with the human scores: name at least one judge or strategy")
        if not labelled.any():
            raise LagerError(
                f"none of the {len(truth)} items has a human score: give some in the items file or with --scores FILE"
            )
        for name, values in judged.items():
            if np.isnan(values[labelled]).all():
                raise LagerError(
                    f"{name} has no score for any of the {labelled.sum()} items that humans scored: check its ids"
                )
        _check_folded(folded or {}, judged)
        return cls(
            taken(truth, labelled),
            {name: taken(values, labelled) for name, values in judged.items()},
            _labels(group, "group", labelled),
            _labels(cluster, "cluster", labelled),
            _labels(system, "system", labelled),
            _labels(together if cluster is None else None, "together", labelled),
            {name: one.take(labelled) for name, one in (folded or {}).items()},
        )

    def __len__(self) -> int:
        """Return the number of items that humans scored."""
        return len(self.human)

    def scored(self) -> NDArray[np.bool_]:
        """Whether at least one judge scored an item: shape (n_items,)."""
        return np.any([~np.isnan(values) for values in self.scores.values()], axis=0)

    def batches(self) -> Iterator[LabelledScores]:
        """Yield the judges by the rows that they scored, cut down to those: so the human side is ranked once."""
        members: dict[bytes, list[str]] = {}
        for name, values in self.scores.items():
            members.setdefault(np.packbits(np.isnan(values)).tobytes(), []).append(name)
        for names in members.values():
            yield self.take(~np.isnan(self.scores[names[0]]), names)

    def cluster_codes(self) -> tuple[int, NDArray[np.intp]]:
        """Return the number of clusters and each item's; an item without one is a cluster by itself."""
        whole = self.together if self.cluster is None else self.cluster
        return (len(self), np.arange(len(self))) if whole is None else whole.clusters()

    def take(self, rows: NDArray[np.bool_], names: Sequence[str]) -> LabelledScores:
        """Return some judges' scores of some rows."""
        folded = {name: one.take(rows) for name, one in self.folded.items() if name in names}
        if rows.all():
            return replace(self, scores={name: self.scores[name] for name in names}, folded=folded)
        group, cluster, system, together = (
            None if column is None else column.take(rows)
            for column in (self.group, self.cluster, self.system, self.together)
        )
        scores = {name: self.scores[name][rows] for name in names}
        return LabelledScores(self.human[rows], scores, group, cluster, system, together, folded)


def _check_folded(folded: Mapping[str, FoldScores], judged: Mapping[str, NDArray[np.float64]]) -> None:
    """Raise `LagerError` where scores by folds do not belong to a judge's scores."""
    for name, one in folded.items():
        expected = judged.get(name)
        if expected is None:
            raise LagerError(f"there are scores by folds of {name!r} and no scores: give both")
        if one.by_model.shape[1:] != expected.shape or one.fold.shape != expected.shape:
            raise LagerError(
                f"the scores by folds of {name} have shapes {one.by_model.shape} and {one.fold.shape}, expected "
                f"(n_folds, {len(expected)}) and ({len(expected)},)"
            )
        rows = ~np.isnan(expected)
        if np.isnan(one.by_model[:, rows]).any() or not np.isin(one.fold[rows], np.arange(len(one.by_model))).all():
            raise LagerError(f"{name} has scores of items that a fold's model has not scored: every model scores all")


def _numbers(values: ArrayLike, what: str, length: int | None) -> NDArray[np.float64]:
    out = as_numbers(values, what)
    if out.ndim != 1 or (length is not None and len(out) != length):
        raise LagerError(f"{what} have shape {out.shape}, expected ({'n_items' if length is None else length},)")
    if np.isinf(out).any():
        raise LagerError(f"{what} hold {np.isinf(out).sum()} infinite values: leave those items out, or give NaN")
    return out


def _labels(values: ArrayLike | pl.Series | None, what: str, labelled: NDArray[np.bool_]) -> Labels | None:
    if values is None:
        return None
    column = values if isinstance(values, pl.Series) else np.asarray(values, dtype=object)
    if column.shape != labelled.shape:
        raise LagerError(f"{what} has shape {column.shape}, expected one label for each of {len(labelled)} items")
    return Labels.of(column).take(labelled)


def taken(values: NDArray[_T], rows: NDArray[np.bool_]) -> NDArray[_T]:
    """Return some rows, without a copy where it is all of them."""
    return values if rows.all() else values[rows]
