"""What an interval and a p-value of one figure rest on, whatever their kind."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .intervals import (
    NO_RESAMPLES,
    Interval,
    IntervalKind,
    bca_interval,
    bca_p,
    percentile_interval,
    percentile_p,
)
from .jackknife import ONE_PART, SPACES, jackknife_interval, jackknife_p


class Evidence(NamedTuple):
    """One figure, and what it is under weightings of the sample.

    Parameters
    ----------
    kind : {"jackknife", "percentile", "bca"}
    point : float
        The figure of the sample.
    resampled : ndarray of shape (n_resamples,), or None
        On bootstrap resamples, NaN where undefined.
    left_out : ndarray of shape (n_parts,), or None
        Without each part of the sample, NaN where undefined.
    effective : float
        How many equal parts tell as much as these.
    """

    kind: IntervalKind
    point: float
    resampled: NDArray[np.floating[Any]] | None
    left_out: NDArray[np.floating[Any]] | None
    effective: float

    def interval(self, space: str) -> Interval:
        """Return the 95 % interval, of a figure that is one of `SPACES`."""
        if self.left_out is None and self.resampled is None:
            return Interval(None, None, 0, NO_RESAMPLES)
        if self.left_out is not None and len(self.left_out) < 2:
            return Interval(None, None, 0, ONE_PART)
        if self.kind == "jackknife" and self.left_out is not None:
            return jackknife_interval(self.point, self.left_out, self.effective, SPACES[space])
        assert self.resampled is not None
        if self.kind == "bca" and self.left_out is not None:
            return bca_interval(self.resampled, self.point, self.left_out)
        return percentile_interval(self.resampled)

    def p_value(self) -> float | None:
        """Return the two-sided p-value that the figure, a difference, is 0; from the same as its interval."""
        if self.kind == "jackknife":
            return None if self.left_out is None else jackknife_p(self.point, self.left_out, self.effective)
        if self.resampled is None:
            return None
        if self.kind == "bca" and self.left_out is not None:
            return bca_p(self.resampled, self.point, self.left_out)
        return percentile_p(self.resampled)
