"""Group intercepts as columns of a penalised regression, so strongly freed that slopes are fitted within groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from .training_items import level_groups

#: Deviation of an intercept before any label is seen, in units of a slope's (features have deviation 1).
FREEDOM = 30.0


class FreedColumns(NamedTuple):
    """Indicators of groups with weighted mean 0, scaled by `FREEDOM`, to stand behind other columns.

    ``y = c + a_g + x . beta`` with ``a ~ N(0, (FREEDOM t)^2)`` where ``beta ~ N(0, t^2)``: a ridge on these columns.
    Unlike means taken out of all columns it leaves an answer for a group that was not seen, ``a = 0``.
    """

    names: list[str | None]
    columns: NDArray[np.float64]
    """ndarray of shape (n_items, n_groups); no columns where agreement is pooled."""
    shares: NDArray[np.float64]
    """ndarray of shape (n_groups,): the weight of each group."""

    @classmethod
    def of(cls, train: Readouts, weight: NDArray[np.float64]) -> FreedColumns:
        """Return the columns of training items; their weights have sum 1."""
        names, group = level_groups(train)
        if group is None:
            return cls([], np.zeros((len(train), 0)), np.zeros(0))
        shares = np.bincount(group, weights=weight, minlength=len(names)).astype(np.float64)
        columns = -np.tile(FREEDOM * shares, (len(train), 1))
        columns[np.arange(len(train)), group] += FREEDOM
        return cls(names, columns, shares)

    def intercepts(self, coefficients: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each group's intercept from the columns' coefficients, their mean 0, and the constant beside them.

        The last axis of `coefficients` is the groups'; what is before it, the outputs of a head, comes last.
        """
        found = FREEDOM * coefficients
        mean = found.mean(axis=-1, keepdims=True) if len(self.names) else np.zeros((*found.shape[:-1], 1))
        return (found - mean).T, mean[..., 0] - found @ self.shares
