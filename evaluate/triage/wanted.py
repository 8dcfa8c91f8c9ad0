"""What is asked of a judge that decides alone: which errors, how often, how sure."""

from __future__ import annotations

from typing import Any, NamedTuple

from .cluster_sums import Unit
from .risk_bounds import Bound


class Wanted(NamedTuple):
    """The options that judges share; see `triage`.

    Attributes
    ----------
    error : float or None
        From which distance on an error is large; None for 1, or a wrong yes or no on a scale of two labels,
        and where labels without a scale are only 0 and 1.
    """

    error: float | None = None
    risk: float = 0.1
    confidence: float = 0.9
    unit: Unit = "item"
    bound: Bound | None = None
    largest_cluster: int | None = None
    seed: int = 42

    def options(self) -> dict[str, Any]:
        """Return the keywords of `triage`."""
        return {name: value for name, value in self._asdict().items() if name != "error"}
