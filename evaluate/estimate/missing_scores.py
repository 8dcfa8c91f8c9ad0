"""Items that a judge has not scored: guessed by system, and refused where labelled ones are scored more often."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from .proxies import Proxy
from .random_labels import random_labels_p

_BY_CHANCE = 0.001
_TOO_FAR = 0.5  # between the shares of scored items, where clusters are too few for a small p


def check_missing(
    proxies: Mapping[str, Proxy],
    labelled: NDArray[np.bool_],
    *,
    domain: NDArray[np.intp],
    cluster: NDArray[np.intp],
    weight: NDArray[np.float64],
    seed: int,
) -> None:
    """Raise `LagerError` where a judge has scored another share of labelled items than of the others.

    A guess for an item without a score is right only where both parts are guessed equally often.
    """
    if labelled.all():
        return
    for name, proxy in proxies.items():
        if proxy.scored.all():
            continue
        p = random_labels_p(
            proxy.scored.astype(np.float64), labelled, domain=domain, cluster=cluster, weight=weight, seed=seed
        )
        few, others = (float(proxy.scored[rows].mean()) for rows in (labelled, ~labelled))
        equal = np.ptp(weight[labelled]) <= 1e-9 * weight[labelled].max()  # else a small p may come from few items
        if (equal and p < _BY_CHANCE) or abs(few - others) > _TOO_FAR:
            raise LagerError(
                f"{name} has scored {few:.0%} of the {labelled.sum()} labelled items and {others:.0%} of the "
                f"{(~labelled).sum()} others, more than chance explains: let it score all items, labelled or not, or "
                "leave it out; else its mean would be of other items"
            )


def missing_notes(proxies: Mapping[str, Proxy], names: list[str], domain: NDArray[np.intp]) -> list[str]:
    """Return what is not scored, and how it counts."""
    notes = []
    for name, proxy in proxies.items():
        if proxy.scored.all():
            continue
        missing = f"{name} has not scored {(~proxy.scored).sum()} of {len(domain)} items"
        notes.append(
            f"{missing}: they count as its mean of their system"
            if len(names) > 1
            else f"{missing}: they count as its mean"
        )
        without = [one for place, one in enumerate(names) if not proxy.scored[domain == place].any()]
        if without:
            some = ", ".join(without[:5]) + (f" and {len(without) - 5} more" if len(without) > 5 else "")
            notes.append(f"{name} has scored no item of {some}: it says nothing there, and labels alone count")
    return notes


def judge_mean(proxy: Proxy, inside: NDArray[np.bool_]) -> float | None:
    """Return the mean of what a judge has scored among some items, None where that is nothing."""
    rows = inside & proxy.scored
    return float(proxy.scores[rows].mean()) if rows.any() else None
