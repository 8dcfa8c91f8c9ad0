"""Rogan and Gladen's share: what the judge calls yes, corrected by how often it is right on labelled items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .clustered_mean import interval

Floats = NDArray[np.float64]
_LEAST_INFORMED = 0.05


@dataclass(frozen=True)
class RoganGladen:
    """The share of one domain, with the same sensitivity and specificity assumed in all domains.

    Parameters
    ----------
    name : str
    share, low, high : float or None
        None where `reason` says why.
    sensitivity, specificity : float or None
        Of the judge, on the labelled items of all domains.
    reason : str or None
    """

    name: str
    share: float | None
    low: float | None
    high: float | None
    sensitivity: float | None
    specificity: float | None
    reason: str | None = None


def rogan_gladen(
    yes: NDArray[np.bool_],
    judge_yes: NDArray[np.bool_],
    weight: Floats,
    *,
    domain: NDArray[np.intp],
    cluster: NDArray[np.intp],
    names: Sequence[str],
    level: float,
) -> tuple[RoganGladen, ...]:
    """Return (q + sp - 1) / (se + sp - 1) of each domain, with the errors of q, se and sp from leaving clusters out."""
    n = int(cluster.max()) + 1

    def summed(values: Floats) -> Floats:
        return np.asarray(np.bincount(cluster, weights=values, minlength=n), dtype=np.float64)

    labelled = weight > 0
    of_yes, of_no = summed(weight * yes), summed(weight * ~yes)
    hits, rejections = summed(weight * (yes & judge_yes)), summed(weight * (~yes & ~judge_yes))
    n_labelled = int(np.count_nonzero(summed(labelled.astype(np.float64))))
    if of_yes.sum() == 0 or of_no.sum() == 0 or n_labelled < 2:
        reason = "labels are in one cluster" if n_labelled < 2 else "all labels are the same"
        return tuple(RoganGladen(name, None, None, None, None, None, reason) for name in names)
    has_labels = summed(labelled.astype(np.float64)) > 0
    part = np.where(has_labels, (n_labelled - 1) / n_labelled, (n - 1) / n)
    sensitivity, specificity = float(hits.sum() / of_yes.sum()), float(rejections.sum() / of_no.sum())
    found = []
    for place, name in enumerate(names):
        inside = (domain == place).astype(np.float64)
        called, size = summed(inside * judge_yes), summed(inside)
        if not size.sum():
            reason = "the judge has scored none of its items"
            found.append(RoganGladen(name, None, None, None, sensitivity, specificity, reason))
            continue
        whole = _corrected(called.sum() / size.sum(), sensitivity, specificity)
        if sensitivity + specificity - 1 < _LEAST_INFORMED:
            reason = "the judge does not tell yes from no"
            found.append(RoganGladen(name, None, None, None, sensitivity, specificity, reason))
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            without = _corrected(
                (called.sum() - called) / (size.sum() - size),
                (hits.sum() - hits) / (of_yes.sum() - of_yes),
                (rejections.sum() - rejections) / (of_no.sum() - of_no),
            )
        error = float(np.sqrt(np.nansum(part * (without - whole) ** 2)))
        found.append(
            RoganGladen(
                name, float(whole), *interval(float(whole), error, n_labelled - 1, level), sensitivity, specificity
            )
        )
    return tuple(found)


def _corrected(called: Floats, sensitivity: Floats | float, specificity: Floats | float) -> Floats:
    return np.asarray((called + specificity - 1) / (sensitivity + specificity - 1))
