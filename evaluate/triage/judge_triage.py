"""What one judge may decide alone, with what its doubt is and which errors are large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...train.aggregator.item_doubt import SIGNALS
from .large_errors import told
from .learnt_doubt import LearntDoubt
from .triage import Triage


@dataclass(frozen=True)
class JudgeTriage:
    """What one judge may decide alone.

    Parameters
    ----------
    name : str
        What tables call the judge.
    doubt : str
        What its doubt is.
    error : float or None
        See `large_errors`.
    result : Triage
    learnt : LearntDoubt or None
        What was learnt of its errors, where that was asked for, kept or not.
    notes : tuple of str
        What the user should know, one line each.
    """

    name: str
    doubt: str
    error: float | None
    result: Triage
    learnt: LearntDoubt | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        about = {"judge": self.name, "doubt": self.doubt, "large_error": told(self.error), "error": self.error}
        learnt = None
        if self.learnt is not None:
            coefficients = dict(zip(("intercept", *SIGNALS), self.learnt.coefficients, strict=True))
            learnt = {**vars(self.learnt), "coefficients": coefficients, "helps": self.learnt.helps}
        return {**about, **self.result.as_json(), "learnt": learnt, "notes": list(self.notes)}
