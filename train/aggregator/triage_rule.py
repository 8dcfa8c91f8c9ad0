"""Which items an aggregator may decide alone: a threshold on its doubt, kept in its file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ...data.scale import Scale
from .aggregator import Aggregator
from .item_doubt import SIGNALS, doubt_signals, plain_doubt
from .parameter_checks import is_number, is_vector

JUDGE, HUMAN = "judge", "human"


@dataclass(frozen=True)
class TriageRule:
    """A threshold on doubt, and what it promises.

    Parameters
    ----------
    threshold : float
        Items of this doubt or less are decided by the judge.
    coefficients : tuple of float or None
        Intercept and slopes, over the columns of `doubt_signals`, of the logit that an error is large, which is the
        doubt then; None where the doubt is the deviation of the judge's distribution.
    error : float or None
        From which distance to the human score on an error is large; None for a wrong yes or no.
    risk, confidence : float
        The share of large errors is at most `risk`, with this confidence over calibrations.
    estimand : str
        Of which items the share is.
    scale : Scale
        Of the scores.
    n, n_clusters : int
        Items and clusters of the calibration.
    readout_id, fingerprint, items_hash : str
        Of the cache that they are from.
    """

    threshold: float
    coefficients: tuple[float, ...] | None
    error: float | None
    risk: float
    confidence: float
    estimand: str
    scale: Scale
    n: int
    n_clusters: int
    readout_id: str
    fingerprint: str
    items_hash: str

    def doubt(self, aggregator: Aggregator, readouts: Readouts, score_mass: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each item's doubt, shape (n_items,); see `doubt_signals`."""
        if self.coefficients is None:
            return plain_doubt(aggregator, readouts)
        return learnt_doubt(doubt_signals(aggregator, readouts, score_mass), self.coefficients)

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON types."""
        coefficients = None if self.coefficients is None else list(self.coefficients)
        return {**vars(self), "coefficients": coefficients, "scale": self.scale.as_json()}

    @classmethod
    def from_json(cls, raw: object) -> TriageRule | None:
        """Read what `as_json` wrote; None for None."""
        if raw is None:
            return None
        if not isinstance(raw, dict) or set(raw) != set(cls.__dataclass_fields__):
            raise LagerError("`triage` has other fields than it should")
        if not (is_number(raw["threshold"]) and math.isfinite(raw["threshold"])):
            raise LagerError("`triage` holds no threshold")
        coefficients = raw["coefficients"]
        if coefficients is not None and not is_vector(coefficients, len(SIGNALS) + 1):
            raise LagerError(f"`triage` holds no {len(SIGNALS) + 1} coefficients of doubt")
        error = raw["error"]
        if error is not None and not (is_number(error) and 0 < error < math.inf):
            raise LagerError("`triage` does not say which error is large")
        if not all(is_number(raw[name]) and 0 < raw[name] < 1 for name in ("risk", "confidence")):
            raise LagerError("`triage` holds no risk and confidence between 0 and 1")
        if any(type(raw[name]) is not int or raw[name] < 1 for name in ("n", "n_clusters")):
            raise LagerError("`triage` holds no counts of items and clusters")
        if not all(isinstance(raw[name], str) for name in ("estimand", "readout_id", "fingerprint", "items_hash")):
            raise LagerError("`triage` does not say what it was made on")
        scale = Scale.from_json(raw["scale"])
        return cls(**{**raw, "coefficients": None if coefficients is None else tuple(coefficients), "scale": scale})


def learnt_doubt(signals: NDArray[np.float64], coefficients: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the logit of a large error, shape (n_items,), from `doubt_signals`."""
    return np.asarray(coefficients[0] + signals @ np.asarray(coefficients[1:]))
