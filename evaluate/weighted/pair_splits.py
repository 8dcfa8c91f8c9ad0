"""Every pair of items with different human scores, met once, in a few sorted passes (for Kendall's tau)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ranking import Ranking
from .segments import Segments, cumulate, runs


@dataclass(frozen=True)
class PairSplit:
    """One level of the tree over the distinct human scores of each segment.

    Number those scores 0..m-1. Two of them differ first at one bit, counted from the highest: at that bit's
    level they are in the same node, one in its lower half and one in its upper half. So each pair of items
    with different human scores is met at exactly one of the ``ceil(log2 m)`` levels.

    Parameters
    ----------
    lower : ndarray of shape (n_lower,)
        Rows of lower halves, sorted by node, then by the judge's score.
    upper : ndarray of shape (n_upper,)
        Rows of upper halves, in segment order.
    below, through : ndarray of shape (n_upper,)
        How many of `lower` come before the node's first row with the judge's score of that upper row, and
        how many up to its last one.
    first, last : ndarray of shape (n_upper,)
        Where the node of that upper row starts and ends in `lower`.
    rows : Segments
        `upper` cut by segment.
    present : ndarray of shape (len(rows),)
        Which segments those are.
    """

    lower: NDArray[np.intp]
    upper: NDArray[np.intp]
    below: NDArray[np.intp]
    through: NDArray[np.intp]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    rows: Segments
    present: NDArray[np.intp]

    def concordance(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Concordant less discordant pairs of this level: shape (len(present), n_resamples)."""
        before = cumulate(weights, self.lower)
        balance = before[self.below]
        balance += before[self.through]
        balance -= before[self.first]
        balance -= before[self.last]
        return self.rows.dot(weights[self.upper], balance)


def split_pairs(score: Ranking, human: Ranking) -> list[PairSplit]:
    """Return one `PairSplit` per bit of the largest number of distinct human scores in a segment.

    Sorted once: from one level to the next, rows are only parted into the halves of their nodes.
    """
    segment = human.segments.of_row
    code = human.class_of_row - human.classes.starts[segment]
    order = score.order
    splits = []
    for bit in reversed(range(int(code.max(initial=0)).bit_length())):
        node = segment * (len(code) + 1) + (code >> (bit + 1))
        level = _Level(order, node[order], score.class_of_row[order], (code[order] >> bit) & 1 == 0)
        splits.append(level.split(segment))
        order = level.parted()
    return splits


class _Level:
    """Rows sorted by node and judge's score, and which of them are in their node's lower half."""

    def __init__(
        self, order: NDArray[np.intp], node: NDArray[np.intp], tie: NDArray[np.intp], is_lower: NDArray[np.bool_]
    ) -> None:
        n = len(order)
        self.order, self.is_lower = order, is_lower
        self.lower_before = np.concatenate([[0], np.cumsum(is_lower)]).astype(np.intp)
        self.nodes = Segments(runs(node), n)
        self.ties = Segments(runs(node, tie), n)

    def split(self, segment: NDArray[np.intp]) -> PairSplit:
        is_upper = ~self.is_lower
        upper = self.order[is_upper]
        tie, node = self.ties.of_row[is_upper], self.nodes.of_row[is_upper]
        ties, nodes = self._bounds(self.ties), self._bounds(self.nodes)
        starts = runs(segment[upper])
        return PairSplit(
            lower=self.order[self.is_lower],
            upper=upper,
            below=ties[tie],
            through=ties[tie + 1],
            first=nodes[node],
            last=nodes[node + 1],
            rows=Segments(starts, len(upper)),
            present=segment[upper][starts],
        )

    def _bounds(self, segments: Segments) -> NDArray[np.intp]:
        """How many lower rows come before each segment, and in all."""
        return self.lower_before[np.append(segments.starts, segments.n)]

    def parted(self) -> NDArray[np.intp]:
        """Sort the rows by node, then half, then judge's score."""
        node = self.nodes.of_row
        start = self.nodes.starts[node]
        bounds = self._bounds(self.nodes)
        earlier_lower = self.lower_before[:-1] - bounds[node]
        earlier_upper = np.arange(len(node)) - start - earlier_lower
        n_lower = np.diff(bounds)[node]
        out = np.empty_like(self.order)
        out[start + np.where(self.is_lower, earlier_lower, n_lower + earlier_upper)] = self.order
        return out


#: With more distinct human scores in a segment than this, fewer passes of `pair_splits` do.
MOST_CLASSES = 64


def class_balance(score: Ranking, human: Ranking, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the balance of each segment, shape (n_segments,).

    In the order of the judge's scores, an item of human class c has below it the items of lower classes that come
    before its tied ones, and half of those tied with it: for each class, cumulative weights of its items and of the
    higher ones give the pairs of the two. Everything runs in sequence through memory.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Whole numbers.
    """
    order, n = score.order, len(weights)
    segment = human.segments.of_row
    code = (human.class_of_row - human.classes.starts[segment])[order].astype(np.uint16)
    drawn = weights[order]
    ties = None if len(score.class_starts) == n else np.append(score.class_starts, n)
    starts, ends = human.segments.starts, human.segments.starts + human.segments.sizes
    higher = np.concatenate([[0.0], np.cumsum(drawn)])
    lower = np.zeros(n + 1)
    balance = np.zeros(len(human.segments))
    for number in range(int(code.max(initial=0))):
        np.cumsum(drawn * (code == number), out=lower[1:])
        higher -= lower
        balance -= (lower[starts] + lower[ends]) * (higher[ends] - higher[starts])
        at, above = (lower, higher) if ties is None else (lower[ties], higher[ties])
        products = at[1:] + at[:-1]
        products *= np.diff(above)
        balance += np.add.reduceat(products, score.classes.starts)
    return balance


def few_classes(human: Ranking) -> bool:
    """Return whether `class_balance` is the faster way."""
    return int(human.classes.sizes.max()) <= MOST_CLASSES
