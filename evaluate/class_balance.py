"""Concordant less discordant pairs in one pass per distinct human score: for one set of weights, many items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .ranking import Ranking

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
