"""One variable ranked within segments, alone and under the weights of many resamples at once.

A bootstrap resample is a column of whole-number weights: how often each item was drawn. Ranks, tie
corrections and pair counts of a resample follow from cumulative sums of those weights in an order that is
sorted once, so nothing is sorted again for any resample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ...data.rounding import class_starts, tie_width
from .segments import MANY, Segments, cumulate, narrow

_T = TypeVar("_T")


class Owner(Protocol):
    """What has kept values."""

    @property
    def many(self) -> bool:
        """Whether memory is worth more here than time."""


class kept(Generic[_T]):  # noqa: N801  named as cached_property is
    """A property like `functools.cached_property`; where its owner says ``many`` it is computed anew each time."""

    def __init__(self, compute: Callable[[Any], _T]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn the name under which values are kept."""
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> kept[_T]: ...
    @overload
    def __get__(self, instance: Owner, owner: type) -> _T: ...
    def __get__(self, instance: Owner | None, owner: type) -> kept[_T] | _T:
        """Return the value; one that is kept hides this property in the instance."""
        if instance is None:
            return self
        value = self.compute(instance)
        if not instance.many:
            instance.__dict__[self.name] = value
        return value


@dataclass(frozen=True)
class Ranking:
    """The order and the ties of one variable inside each segment.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite numbers, rows arranged by segment.
    segments : Segments
        The runs of rows that are ranked on their own.
    exact : bool
        Whether only equal values tie; otherwise those do that differ by rounding, see `data.rounding`.
    """

    values: NDArray[np.float64]
    segments: Segments
    exact: bool = False

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Rows sorted by segment, then value: shape (n,)."""
        by_value = np.argsort(self.values)  # in which order ties come makes no difference to anything
        if len(self.segments) == 1:
            return narrow(by_value, len(by_value))
        segment = self.segments.of_row[by_value]
        if len(self.segments) <= 1 << 16:  # numpy sorts these by radix
            segment = segment.astype(np.uint16)
        return narrow(by_value[np.argsort(segment, kind="stable")], len(by_value))

    @cached_property
    def class_starts(self) -> NDArray[np.intp]:
        """Where each class of tied rows starts in `order`: shape (n_classes,)."""
        new = np.zeros(len(self.values), dtype=np.bool_)
        new[self.segments.starts] = True
        width = 0.0 if self.exact else tie_width(self.values)
        return narrow(class_starts(self.values[self.order], new, width), len(self.values))

    @cached_property
    def classes(self) -> Segments:
        """The classes of ties as rows, cut into the same segments."""
        starts = np.searchsorted(self.class_starts, self.segments.starts)
        return Segments(starts.astype(np.intp), len(self.class_starts))

    @cached_property
    def class_of_row(self) -> NDArray[np.intp]:
        """The class of ties that each row is in, ascending with segment and value: shape (n,)."""
        n = len(self.values)
        numbers = narrow(np.arange(len(self.class_starts)), n)
        out = np.empty(n, dtype=numbers.dtype)
        out[self.order] = np.repeat(numbers, np.diff(self.class_starts, append=n))
        return out

    @cached_property
    def centred(self) -> NDArray[np.float64]:
        """The values less their segment's plain mean, which spares moments their rounding: shape (n,)."""
        column = self.values[:, None]
        means = self.segments.sum(column) / self.segments.sizes[:, None]
        return np.asarray((column - self.segments.expand(means))[:, 0])


@dataclass(frozen=True)
class WeightedRanking:
    """A ranking under weights: what the agreement metrics need of one side.

    Parameters
    ----------
    ranking : Ranking
        The variable.
    weights : ndarray of shape (n, n_resamples)
        Whole numbers, as float64 (exact up to 2**53).
    """

    ranking: Ranking
    weights: NDArray[np.float64]

    @property
    def many(self) -> bool:
        """Whether there are so many rows that what is used twice is computed twice."""
        return len(self.weights) > MANY

    @cached_property
    def all_once(self) -> bool:
        """Whether the weights are those of the sample itself."""
        return all_once(self.weights)

    @kept
    def _cumulated(self) -> NDArray[np.float64]:
        """Weight before each class, and all of it last: shape (n_classes + 1, n_resamples)."""
        if self.all_once:
            return np.append(self.ranking.class_starts, len(self.weights)).astype(np.float64)[:, None]
        cumulated = cumulate(self.weights, self.ranking.order)
        if len(self.ranking.class_starts) == len(self.weights):
            return cumulated
        return cumulated[np.append(self.ranking.class_starts, len(self.weights))]

    @kept
    def class_weights(self) -> NDArray[np.float64]:
        """The weight of each class of ties: shape (n_classes, n_resamples)."""
        cumulated = self._cumulated
        return cumulated[1:] - cumulated[:-1]

    @cached_property
    def totals(self) -> NDArray[np.float64]:
        """The weight of each segment, its item count in a resample: shape (n_segments, n_resamples)."""
        bounds = np.append(self.ranking.classes.starts, self.ranking.classes.n)
        return np.diff(self._cumulated[bounds], axis=0)

    @cached_property
    def untied_pairs(self) -> NDArray[np.float64]:
        """Ordered pairs of drawn items that differ: ``T**2 - sum(t**2)``; 0 means constant, exactly."""
        weights = self.class_weights
        return self.totals**2 - self.ranking.classes.dot(weights, weights)

    @kept
    def centred_ranks(self) -> NDArray[np.float64]:
        """Mid-rank less the mean rank, of each class: shape (n_classes, n_resamples)."""
        classes = self.ranking.classes
        cumulated = self._cumulated
        twice_middle = cumulated[1:] + cumulated[:-1]
        bounds = np.append(classes.starts, classes.n)
        edges = cumulated[bounds]
        twice_middle -= classes.expand(edges[1:] + edges[:-1])
        twice_middle *= 0.5
        return twice_middle

    @cached_property
    def rank_variance(self) -> NDArray[np.float64]:
        """Sum of squared centred ranks, ``(T**3 - sum(t**3)) / 12``: shape (n_segments, n_resamples)."""
        weights = self.class_weights
        cubes = self.ranking.classes.dot(weights, weights**2)
        return (self.totals**3 - cubes) / 12

    @cached_property
    def extremes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smallest and the largest centred value drawn, NaN where nothing was: each (n_segments, n_resamples)."""
        starts = self.ranking.segments.starts
        values, drawn = self.ranking.centred[:, None], self.weights > 0
        low = np.minimum.reduceat(np.where(drawn, values, np.inf), starts, axis=0)
        high = np.maximum.reduceat(np.where(drawn, values, -np.inf), starts, axis=0)
        nothing = low > high
        return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """Centred rank of each row: shape (n, n_resamples)."""
        return self.centred_ranks[self.ranking.class_of_row]

    @cached_property
    def weighted_ranks(self) -> NDArray[np.float64]:
        """Weight times centred rank, of each row: shape (n, n_resamples)."""
        if self.all_once:
            return self.ranks
        return self.ranks * self.weights


def all_once(weights: NDArray[np.float64]) -> bool:
    """Return whether weights are those of the sample itself: every row once."""
    return weights.shape[1] == 1 and bool((weights == 1).all())
