"""Ridge regression at every penalty, and its error on clusters that are left out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

#: Penalties tried, in units of the number of items: features have deviation 1.
PENALTIES = np.logspace(-4, 4, 33)


@dataclass(frozen=True)
class RidgePath:
    """Ridge regression at every penalty, from one singular value decomposition.

    Minimises ``sum_i w_i (y_i - c - x_i . beta)^2 + penalty |beta|^2`` with the constant c free of penalty. With rows
    scaled by the root of their weight, ``sqrt(w) X = U S V'``, the residuals of a left-out cluster C are those of the
    whole fit through ``(I - H_CC)^-1``, ``H = U S^2 / (S^2 + penalty) U' + sqrt(w) sqrt(w)'``.
    """

    left: NDArray[np.float64]
    singular: NDArray[np.float64]
    right: NDArray[np.float64]
    response: NDArray[np.float64]
    root_weight: NDArray[np.float64]
    members: list[NDArray[np.intp]]

    @cached_property
    def _projected(self) -> NDArray[np.float64]:
        """The response in the directions of `left`."""
        return self.left.T @ self.response

    @classmethod
    def of(
        cls,
        columns: NDArray[np.float64],
        human: NDArray[np.float64],
        weight: NDArray[np.float64],
        cluster: NDArray[np.intp],
    ) -> RidgePath:
        """Decompose once.

        Parameters
        ----------
        columns : ndarray of shape (n_items, n_features)
            With weighted mean 0.
        human : ndarray of shape (n_items,)
        weight : ndarray of shape (n_items,)
            Sum 1.
        cluster : ndarray of shape (n_items,)
            Cluster numbers from 0.
        """
        from scipy.linalg import svd

        root = np.sqrt(weight)
        # Columns of the turned matrix lie in a row, as the solver wants them: it works in their place, without a copy.
        turned, singular, left = svd((root[:, None] * columns).T, full_matrices=False, overwrite_a=True)
        kept = singular > max(columns.shape) * np.finfo(float).eps * (singular[0] if len(singular) else 0.0)
        response = root * (human - weight @ human)
        return cls(left[kept].T, singular[kept], turned[:, kept].T, response, root, _by_size(cluster))

    def coefficients(self, penalty: float) -> NDArray[np.float64]:
        """Return beta, shape (n_features,)."""
        return self.right.T @ (self.singular / (self.singular**2 + penalty) * self._projected)

    def best(self) -> tuple[float, float]:
        """Return the one of `PENALTIES` of least error on left-out clusters, and that error."""
        errors = [self.left_out_error(penalty) for penalty in PENALTIES]
        best = int(np.argmin(errors))
        return float(PENALTIES[best]), float(errors[best])

    def left_out_error(self, penalty: float) -> float:
        """Return the weighted mean squared error of every cluster predicted from the others."""
        kept = self.singular**2 / (self.singular**2 + penalty)
        residual = self.response - self.left @ (kept * self._projected)
        # H = A A', the constant's column among those of A.
        half = np.column_stack([self.left * np.sqrt(kept), self.root_weight])
        total = 0.0
        for rows in self.members:
            if rows.shape[1] == 1:  # clusters of one item: H_CC is a number
                single = rows[:, 0]
                leverage = np.einsum("ij,ij->i", half[single], half[single])
                total += float(((residual[single] / np.maximum(1.0 - leverage, 1e-12)) ** 2).sum())
            else:
                total += _left_out_together(half[rows], residual[rows])
        return total


def _left_out_together(half: NDArray[np.float64], residual: NDArray[np.float64]) -> float:
    """Return the squared error of clusters of equal size.

    Parameters
    ----------
    half : ndarray of shape (n_clusters, size, n_columns)
    residual : ndarray of shape (n_clusters, size)
    """
    turned = half.transpose(0, 2, 1)
    if half.shape[1] <= half.shape[2]:
        left_out = np.linalg.solve(np.eye(half.shape[1]) - half @ turned, residual[:, :, None])
    else:  # Woodbury: a system of the columns' size instead of the cluster's
        inner = np.linalg.solve(np.eye(half.shape[2]) - turned @ half, turned @ residual[:, :, None])
        left_out = residual[:, :, None] + half @ inner
    return float((left_out**2).sum())


def _by_size(cluster: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the rows of clusters, those of one size together: arrays of shape (n_clusters, size)."""
    order = np.argsort(cluster, kind="stable")
    counts = np.bincount(cluster)
    groups = np.split(order, np.cumsum(counts)[:-1])
    return [np.array([g for g in groups if len(g) == size]) for size in np.unique(counts[counts > 0])]
