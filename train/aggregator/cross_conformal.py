"""Intervals from one set of labels: each model's errors on the items that it has not seen (CV+).

An item's upper end is a quantile of ``f_k(x) + R``, over all items of the set with their error R and the model f_k that
has not seen them; its lower end that of ``f_k(x) - R`` (Barber, Candes, Ramdas & Tibshirani, Annals of Statistics 49,
2021). Folds keep clusters whole, and the rank counts one cluster more, as in `conformal`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.scale import Scale
from .conformal import conformal_rank

Ends = dict[float, tuple[NDArray[np.float64], NDArray[np.float64]]]
_HALVINGS = 60


@dataclass(frozen=True)
class CrossCalibration:
    """How far from the human scores each fold's model was, on the items that it has not seen.

    Parameters
    ----------
    levels : tuple of float
    errors : tuple of tuple of float
        Absolute errors by model, ascending, in units of the scale.
    scale : Scale
    n_clusters : int
        Of all items.
    readout_id, fingerprint, items_hash : str
        Of the cache they are from.
    """

    levels: tuple[float, ...]
    errors: tuple[tuple[float, ...], ...]
    scale: Scale
    n_clusters: int
    readout_id: str
    fingerprint: str
    items_hash: str

    @property
    def n(self) -> int:
        """Items that it was made on."""
        return sum(map(len, self.errors))

    @property
    def radii(self) -> dict[float, float]:
        """For each level about how far intervals reach: that quantile of all errors. Each item has its own."""
        ordered = np.sort(np.concatenate([np.array(one) for one in self.errors]))
        return {one: float(ordered[conformal_rank(one, self.n, self.n_clusters) - 1]) for one in self.levels}

    def intervals(self, score: NDArray[np.float64], of_models: NDArray[np.float64] | None = None) -> Ends:
        """Return for each level the lower and upper ends, each of shape (n_items,); no end leaves the scale.

        Parameters
        ----------
        score : ndarray of shape (n_items,)
            What every interval is made to hold; NaN where there is to be none.
        of_models : ndarray of shape (n_models, n_items), optional
            The models' scores, `score` for all where there are none.
        """
        if of_models is None:
            of_models = np.tile(score, (len(self.errors), 1))
        low, high = float(self.scale.array.min()), float(self.scale.array.max())
        errors = [np.array(one) for one in self.errors]
        found: Ends = {}
        for level in self.levels:
            rank = conformal_rank(level, self.n, self.n_clusters)
            top = np.maximum(_ranked(of_models, errors, rank), score)
            bottom = np.minimum(-_ranked(-of_models, errors, rank), score)
            found[level] = np.clip(bottom, low, high), np.clip(top, low, high)
        return found

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON types."""
        return {**vars(self), "levels": list(self.levels), "errors": list(map(list, self.errors)),
                "scale": self.scale.as_json()}  # fmt: skip

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> CrossCalibration:
        """Read what `as_json` wrote."""
        names = {"levels", "errors", "scale", "n_clusters", "readout_id", "fingerprint", "items_hash"}
        raw_identity: dict[str, Any] = {name: raw.get(name) for name in ("readout_id", "fingerprint", "items_hash")}
        if set(raw) != names or not all(isinstance(value, str) for value in raw_identity.values()):
            raise LagerError("`calibration` has other fields than it should")
        levels, errors, count = raw["levels"], raw["errors"], raw["n_clusters"]
        if not (_numbers(levels, 0.0, 1.0) and levels and all(0 < one < 1 for one in levels)):
            raise LagerError("`calibration` holds no levels between 0 and 1")
        if not (isinstance(errors, list) and errors and all(one and _numbers(one, 0.0, math.inf) for one in errors)):
            raise LagerError("`calibration` holds no list of errors for each model")
        if type(count) is not int or count < 1:
            raise LagerError("`calibration` holds no count of clusters")
        by_model = tuple(tuple(sorted(map(float, one))) for one in errors)
        found = cls(tuple(map(float, levels)), by_model, Scale.from_json(raw["scale"]), count, **raw_identity)
        for level in found.levels:
            conformal_rank(level, found.n, count)
        return found


def _ranked(values: NDArray[np.float64], errors: Sequence[NDArray[np.float64]], rank: int) -> NDArray[np.float64]:
    """Return for each item the rank-th smallest of all ``values[k] + error``, shape (n_items,), by halving."""
    low = values.min(axis=0)
    high = values.max(axis=0) + max(one[-1] for one in errors)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = sum(np.searchsorted(one, middle - own, side="right") for one, own in zip(errors, values, strict=True))
        enough = np.asarray(below) >= rank
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.asarray(high)


def _numbers(values: object, least: float, most: float) -> bool:
    return isinstance(values, list) and all(type(one) in (int, float) and least <= one < most for one in values)
