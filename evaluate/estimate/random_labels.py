"""Were the items to label drawn at random? A test by clusters of what the judge says of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError

_DRAWS, _ENOUGH = 4999, 50
_AT_ONCE = 2_000_000  # numbers drawn at once
_MOST_PARTS = 2000
_NOT_RANDOM = 0.001


def check_random(
    judge: NDArray[np.float64],
    labelled: NDArray[np.bool_],
    *,
    domain: NDArray[np.intp],
    cluster: NDArray[np.intp],
    weight: NDArray[np.float64] | None,
    seed: int,
) -> float:
    """Return the p-value of labels drawn at random; raise `LagerError` where it is below .001 and chances were equal.

    With unequal known chances a small p may come from few items that stand for very many: it is only told.
    """
    p = random_labels_p(judge, labelled, domain=domain, cluster=cluster, weight=weight, seed=seed)
    if p < _NOT_RANDOM and not _unequal(labelled.astype(np.float64) if weight is None else weight, labelled):
        raise LagerError(
            f"the judge scores labelled items otherwise than the rest (p = {p:.1g}, by clusters): they were not drawn "
            "at random, or not with equal chances. "
            "Give each one's probability of being drawn in a column 'probability', or the column by which "
            "they were drawn as strata; else the estimate would be of other items"
        )
    return p


def unlike_notes(p: float) -> list[str]:
    """Return a note where labelled items, weighted by known chances, are unlike the rest."""
    if p >= _NOT_RANDOM:
        return []
    return [
        f"weighted by their chances, labelled items have other scores of the judge than the rest (p = {p:.1g}, by "
        "clusters): check the probabilities or strata, and that no drawn item was left out"
    ]


def random_labels_p(
    judge: NDArray[np.float64],
    labelled: NDArray[np.bool_],
    *,
    domain: NDArray[np.intp],
    cluster: NDArray[np.intp],
    seed: int,
    weight: NDArray[np.float64] | None = None,
) -> float:
    """Return a p-value that is small where the judge scores labelled items otherwise than the rest of their domain.

    Two tests, twice the smaller p. The clusters' shares of labelled items are permuted over the clusters, which is
    exact where whole clusters were drawn, however few. And the signs of what each cluster adds to the difference
    are drawn, which sees a choice within clusters too, and takes items of a cluster that were drawn together as one.
    With unequal weights of labelled items, one over their chances, the second test alone: clusters' shares differ then.
    """
    held_by = labelled.astype(np.float64) if weight is None else weight
    unequal = _unequal(held_by, labelled)
    scores = judge.copy()
    for one in np.unique(domain):
        scores[domain == one] -= scores[domain == one].mean()
    rng = np.random.default_rng(seed)
    part = np.unique(cluster, return_inverse=True)[1].reshape(-1)
    if (n := int(part.max()) + 1) > _MOST_PARTS:  # so many are as good dealt into parts
        part, n = rng.permutation(n)[part] % _MOST_PARTS, _MOST_PARTS
    size, held = np.bincount(part, minlength=n), np.bincount(part, weights=held_by, minlength=n)
    total = np.bincount(part, weights=scores, minlength=n)
    of_labelled = np.bincount(part, weights=scores * held_by, minlength=n)
    share = held / size
    added = of_labelled - held.sum() / size.sum() * total

    def between(shares: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.abs(shares @ total / (shares @ size))

    counts, draws, at_once = np.zeros(2), 0, min(500, max(1, _AT_ONCE // len(size)))
    seen = between(share), abs(added.sum())
    while draws < _DRAWS:
        some = min(at_once, _DRAWS - draws)
        shares = rng.permuted(np.tile(share, (some, 1)), axis=1)
        signs = rng.choice([-1.0, 1.0], size=(some, len(size)))
        counts[0] += np.count_nonzero(between(shares) >= seen[0] * (1 - 1e-9))
        counts[1] += np.count_nonzero(np.abs(signs @ added) >= seen[1] * (1 - 1e-9))
        draws += some
        if counts[1 if unequal else slice(None)].min() >= _ENOUGH:  # far from any doubt
            break
    p = (counts + 1) / (draws + 1)
    return float(p[1] if unequal else min(1.0, 2 * p.min()))


def _unequal(weight: NDArray[np.float64], labelled: NDArray[np.bool_]) -> bool:
    return bool(np.ptp(weight[labelled]) > 1e-9 * weight[labelled].max())
