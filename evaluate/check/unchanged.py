"""What may have changed where nothing was seen to: a bound on the share of clusters, as zero variance bounds none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: With fewer, changes of a few items are too often not met at all, whatever the interval says.
FEWEST_CLUSTERS = 20
_LEVEL = 0.05


def share_unseen(codes: NDArray[np.intp] | None, n_items: int) -> float:
    """Return the share s of clusters of which none is met in 5 % of draws: (1 - s)^G = .05.

    G is the effective number of clusters, (sum m)^2 / sum m^2 of their sizes m, which is their number where all are
    equal; one large cluster is not many.
    """
    sizes = np.ones(n_items) if codes is None else np.bincount(codes)
    return float(1 - _LEVEL ** (np.square(sizes).sum() / sizes.sum() ** 2))


def too_few(n_clusters: int) -> str:
    """Return why so few clusters carry no verdict."""
    return f"{n_clusters} items or clusters: {FEWEST_CLUSTERS} are needed"
