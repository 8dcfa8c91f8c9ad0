"""Sums over clusters of each domain: all that a prediction-powered mean, its tuning and its error are made of."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClusterSums:
    """Sums in the clusters of domains, such as systems; every array has shape (n_domains, n_clusters).

    Parameters
    ----------
    weight : ndarray
        Of the labelled items, summed; what their means are divided by.
    human, judge : ndarray
        Weighted human scores and judge's scores of the labelled items.
    n_all, judge_all : ndarray
        Number and judge's scores of all items that stand for the population.
    n_labelled : ndarray
        Number of labelled items.
    """

    weight: Floats
    human: Floats
    judge: Floats
    n_all: Floats
    judge_all: Floats
    n_labelled: Floats

    @classmethod
    def of(
        cls,
        human: Floats,
        judge: Floats,
        weight: Floats,
        *,
        domain: NDArray[np.intp],
        cluster: NDArray[np.intp],
        known_size: bool = False,
    ) -> ClusterSums:
        """Sum up items: `human` is NaN and `weight` 0 where there is no label, `domain` -1 where there is none.

        With `known_size`, weighted sums are divided by the number of items (Horvitz-Thompson), not by the sum of the
        weights (Hajek).
        """
        shape = (int(domain.max(initial=-1)) + 1, int(cluster.max(initial=-1)) + 1)
        inside = domain >= 0
        place = domain[inside] * shape[1] + cluster[inside]

        def summed(values: Floats) -> Floats:
            flat = np.bincount(place, weights=values[inside], minlength=shape[0] * shape[1])
            return np.asarray(flat.reshape(shape), dtype=np.float64)

        labelled = weight > 0
        n_all = summed(np.ones(len(human)))
        return cls(
            n_all if known_size else summed(weight),
            summed(np.where(labelled, weight * human, 0.0)),
            summed(weight * judge),
            n_all,
            summed(judge),
            summed(labelled.astype(np.float64)),
        )

    def dealt(self, most: int, rng: np.random.Generator) -> ClusterSums:
        """Return the sums over at most so many parts of clusters with labels, and as many of those without."""
        with_labels = self.n_labelled.sum(axis=0) > 0
        parts = []
        for rows in (np.flatnonzero(with_labels), np.flatnonzero(~with_labels)):
            parts += np.array_split(rng.permutation(rows), min(most, len(rows))) if len(rows) else []
        if len(parts) == len(with_labels):
            return self
        order, starts = np.concatenate(parts), np.cumsum([0, *map(len, parts[:-1])])
        return ClusterSums(
            *(np.add.reduceat(getattr(self, one.name)[:, order], starts, axis=1) for one in fields(self))
        )

    @cached_property
    def n_labelled_clusters(self) -> NDArray[np.intp]:
        """How many clusters of each domain have labels: shape (n_domains,)."""
        return np.count_nonzero(self.n_labelled, axis=1)

    @cached_property
    def n_clusters(self) -> NDArray[np.intp]:
        """How many clusters each domain has: shape (n_domains,)."""
        return np.count_nonzero(self.n_all, axis=1)

    def means(self) -> tuple[Floats, Floats, Floats]:
        """Return the means of human scores, of the judge's on the same items and on all: each (n_domains,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.weight.sum(axis=1)
            return (
                self.human.sum(axis=1) / total,
                self.judge.sum(axis=1) / total,
                self.judge_all.sum(axis=1) / self.n_all.sum(axis=1),
            )

    def means_without(self) -> tuple[Floats, Floats, Floats]:
        """Return the same with each cluster left out in turn: each (n_domains, n_clusters)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            left = _without(self.weight)
            return (
                _without(self.human) / left,
                _without(self.judge) / left,
                _without(self.judge_all) / _without(self.n_all),
            )

    def influence(self) -> tuple[Floats, Floats]:
        """Return what each cluster adds to the labelled mean, and to the judge's mean of all less that of the labelled.

        Both are bias-corrected by G / (G - 1), each with its own number of clusters; 0 in domains with one.
        """
        human, judge, judge_all = self.means()
        with np.errstate(divide="ignore", invalid="ignore"):
            few = _correction(self.n_labelled_clusters) / self.weight.sum(axis=1)
            many = _correction(self.n_clusters) / self.n_all.sum(axis=1)
            of_human = few[:, None] * (self.human - human[:, None] * self.weight)
            of_judge = many[:, None] * (self.judge_all - judge_all[:, None] * self.n_all)
            of_judge -= few[:, None] * (self.judge - judge[:, None] * self.weight)
        usable = (self.n_labelled_clusters > 1)[:, None]
        return np.where(usable, of_human, 0.0), np.where(usable, of_judge, 0.0)


def _without(sums: Floats) -> Floats:
    return np.asarray(sums.sum(axis=1, keepdims=True) - sums)


def _correction(n_clusters: NDArray[np.intp]) -> Floats:
    return np.sqrt(n_clusters / np.maximum(n_clusters - 1, 1))
