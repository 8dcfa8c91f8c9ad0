"""The layer-weighted aggregator in scikit-learn's contract, on plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ...data.scale import Scale
from .base import ReadoutEstimator


class LagerAggregator(ReadoutEstimator):
    """LAGER with tuning: ``softmax(sum_l w_l z^(l))`` and its expectation, one weight per layer entry.

    Source: "Beyond the Surface: Enhancing LLM-as-a-Judge Alignment with Human via Internal Representations", section 3.

    Parameters
    ----------
    preset : {"converged", "paper", "release"}, default "converged"
        `converged` minimises CE + MSE over mixtures of all layers; it is deterministic. `paper` trains free weights as
        the paper describes. `release` repeats the authors' released code, which drops the last layer entry.
    scale : str, Scale, sequence of float or None, default None
        What the labels of the last axis are worth: ``"1-5"``, ``"A=4,B=3"``, values, or None for 1 to K. ``"data"``
        puts the labels in even steps between the lowest and the highest human score.
    n_labels : int, "all" or None, default None
        K, where X comes flattened and the scale does not tell; ``"all"`` where X is a single layer.
    seed : int, default 42
        Order of the batches in `paper` and `release`.

    Attributes
    ----------
    weights_ : ndarray of shape (n_layers + 1,)
        0 for an entry that the preset drops.
    loss_, loss_uniform_ : float
        Training loss at the fitted and at uniform weights, as the preset defines it.
    training_ : dict
        Settings of the fit and how it ended.
    aggregator_ : Aggregator
        The same as plain data, for `save_aggregator`.
    n_features_in_ : int
        ``(n_layers + 1) * n_labels``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(50, 9, 5)), rng.integers(1, 6, size=50)
    >>> LagerAggregator().fit(X, y).predict(X).shape
    (50,)
    """

    def __init__(
        self,
        preset: str = "converged",
        *,
        scale: str | Scale | Sequence[float] | None = None,
        n_labels: int | str | None = None,
        seed: int = 42,
    ) -> None:
        """Only assign, as scikit-learn asks."""
        self.preset = preset
        self.scale = scale
        self.n_labels = n_labels
        self.seed = seed

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        target: ArrayLike | None = None,
    ) -> LagerAggregator:
        """Fit the layer weights.

        Parameters
        ----------
        X : array-like of shape (n_items, n_layers + 1, n_labels) or (n_items, (n_layers + 1) * n_labels)
            Raw read-outs, without the rows that have none.
        y : array-like of shape (n_items,)
            Human scores on the scale; fractions are used as they are.
        sample_weight : array-like of shape (n_items,), optional
            How much each item counts, in preset `converged`.
        target : array-like of shape (n_items, n_labels), optional
            Distribution of each item's annotators, the target of the cross-entropy; without it, the two labels beside
            the score.

        Raises
        ------
        LagerError
            For shapes that do not fit, values that are not finite, scores off the scale or all equal.
        """
        self._fit(X, y, sample_weight, target=target)
        training = dict(self.aggregator_.training)
        self.weights_ = np.array(self.aggregator_.weights)
        self.loss_, self.loss_uniform_ = training.pop("loss"), training.pop("loss_uniform")
        self.training_ = training
        return self

    def _strategy_name(self) -> str:
        """Return the tuned strategy."""
        return "lager-tuned"
