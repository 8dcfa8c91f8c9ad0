"""What labels will be drawn from, and the fewest labels that reach a width or a power."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scipy.special import stdtrit

_MOST = 100_000_000


class Design(NamedTuple):
    """How labels lie in clusters.

    Parameters
    ----------
    per_cluster : float
        Labels of one system in a cluster while there are clusters left.
    n_items, n_clusters : float
        Of one system, infinite where they are not limited.
    """

    per_cluster: float = 1.0
    n_items: float = float("inf")
    n_clusters: float = float("inf")

    def clusters(self, n_labels: int) -> float:
        """Return the clusters that so many labels of one system lie in."""
        return min(max(n_labels / self.per_cluster, 1.0), self.n_clusters)

    def freedom(self, n_labels: int) -> float:
        """Return the degrees of freedom of a spread over these clusters, at least a little."""
        return max(self.clusters(n_labels) - 1.0, 0.1)


def fewest(reached: Callable[[int], bool], design: Design) -> int | None:
    """Return the fewest labels that reach it, None where all items together do not.

    More labels never reach less.
    """
    low, high = 1, 2
    most = int(min(design.n_items, _MOST))
    while high < most and not reached(high):
        low, high = high, 2 * high
    high = min(high, most)
    if not reached(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def labels_for_width(error: Callable[[int], float], width: float, design: Design, *, level: float) -> int | None:
    """Return the fewest labels whose interval is no wider than plus and minus `width`."""
    return fewest(
        lambda n: float(stdtrit(design.freedom(n), (1 + level) / 2)) * error(n) <= width,
        design,
    )


def labels_for_power(
    error: Callable[[int], float], distance: float, design: Design, *, level: float, power: float
) -> int | None:
    """Return the fewest labels by which a two-sided interval excludes something so far away, with a chance `power`."""

    def reached(n: int) -> bool:
        freedom = design.freedom(n)
        needed = float(stdtrit(freedom, (1 + level) / 2)) + float(stdtrit(freedom, power))
        return needed * error(n) <= distance

    return fewest(reached, design)
