"""Pairwise accuracy: of two texts for the same source, does the judge prefer the one that humans prefer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .kendall import balance
from .pair_splits import split_pairs
from .pairing import WeightedPairing
from .ranking import Ranking, WeightedRanking
from .segments import Segments, runs


def pairwise_accuracy(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return the share of pairs in the human order, of each segment and resample, NaN where there is no pair.

    Pairs are of items of one cluster, those tied in the human score are left out, and one that the judge ties counts
    half: with C concordant and D discordant pairs of U, ``1/2 + (C - D) / (2 U)``. Without declared clusters all pairs
    of a segment count. A cluster that was drawn twice counts twice; its copies are not paired with each other.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    cluster = pair.pairing.context.cluster
    if cluster is None:
        surplus, pairs = balance(pair), pair.human.untied_pairs / 2
    else:
        surplus, pairs = _within_clusters(pair, cluster)
    out = np.full(pairs.shape, np.nan)
    np.divide(surplus, 2 * pairs, out=out, where=pairs > 0)
    return 0.5 + out


def _within_clusters(
    pair: WeightedPairing, cluster: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Concordant less discordant pairs, and pairs that humans do not tie, both by segment and resample.

    Counted once for each cluster of each segment; a resample only weights them.
    """
    segment = pair.segments.of_row
    rows = np.lexsort((cluster, segment))
    starts = runs(segment[rows], cluster[rows])
    cells = Segments(starts, len(rows))
    score = Ranking(pair.pairing.score.values[rows], cells)
    human = Ranking(pair.pairing.human.values[rows], cells)
    once = np.ones((len(rows), 1))
    surplus = np.zeros((len(cells), 1))
    for split in split_pairs(score, human):
        surplus[split.present] += split.concordance(once)
    pairs = WeightedRanking(human, once).untied_pairs / 2
    drawn = pair.weights[rows[starts]]
    by_segment = Segments(runs(segment[rows[starts]]), len(cells))
    return by_segment.sum(drawn * surplus), by_segment.sum(drawn * pairs)
