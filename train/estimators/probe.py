"""The probe as a scikit-learn estimator on hidden states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ...data.scale import Scale
from ..strategies.fit import fit_strategy
from .base import ReadoutEstimator, clusters_of, plain_readouts

_POOLING = "given"


class ProbeEstimator(ReadoutEstimator):
    """Hidden states reduced by PCA under a linear head, the layers chosen by leaving clusters out (INSPECTOR).

    Parameters
    ----------
    head : {"ridge", "ordinal", "logistic"}, default "ridge"
    scale : str, Scale, or sequence of float, default "1-5"
        The scale of the human scores.

    Attributes
    ----------
    aggregator_ : Aggregator
        What was learnt, as plain data, for `save_aggregator`.
    """

    def __init__(self, head: str = "ridge", *, scale: str | Scale | Sequence[float] = "1-5") -> None:
        """Only assign, as scikit-learn asks."""
        self.head = head
        self.scale = scale

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        cluster: ArrayLike | None = None,
    ) -> ProbeEstimator:
        """Fit the head and choose the layers.

        Parameters
        ----------
        X : array-like of shape (n_items, n_layers + 1, n_dimensions) or (n_items, n_dimensions)
            Hidden states under one pooling; two dimensions are a single layer.
        y : array-like of shape (n_items,)
            Human scores on the scale.
        sample_weight, cluster
            As in `StrategyEstimator.fit`.
        """
        if y is None:
            raise LagerError("ProbeEstimator requires y to be passed, but the target y is None: give human scores")
        states, human = _states(X), np.asarray(y, dtype=np.float64)
        scale = self._scale(0, human)
        train = plain_readouts(
            np.zeros((len(states), 1, len(scale))),
            scale,
            human=human,
            weight=None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64),
            cluster=clusters_of(cluster, states),
        )
        self.scale_ = scale
        self.aggregator_ = fit_strategy(self._strategy_name(), replace(train, hidden={_POOLING: states}))
        self.n_features_in_ = states.shape[1] * states.shape[2]
        return self

    def _strategy_name(self) -> str:
        """Return the probe with its head."""
        return f"probe:{self.head}"

    def _to_score(self, X: ArrayLike) -> Any:
        """Return hidden states to score as read-outs without logits."""
        states = _states(X)
        empty = plain_readouts(np.zeros((len(states), 1, len(self.scale_))), self.scale_)
        return replace(empty, hidden={_POOLING: states})


def _states(X: ArrayLike) -> NDArray[Any]:
    """Return hidden states as (n_items, n_entries, n_dimensions)."""
    states = np.asarray(X)
    if states.ndim not in {2, 3}:
        raise LagerError(
            f"got hidden states of {states.ndim} dimensions, expected (n_items, n_layers + 1, n_dimensions)"
        )
    return states if states.ndim == 3 else states[:, None]
