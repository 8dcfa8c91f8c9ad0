"""Every strategy as a scikit-learn estimator on plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from ...data.errors import LagerError
from ...data.scale import Scale
from ..strategies.registry import lookup
from .base import ReadoutEstimator


class StrategyEstimator(ReadoutEstimator):
    """A strategy by name: fitted, it scores read-outs; the name is a parameter like any other, open to a grid search.

    Parameters
    ----------
    strategy : str, default "lager-shrunk"
        A name of docs/strategies.md, with options: ``lager-tuned+free``, ``ridge``, ``isotonic:lager``. `length` needs
        prompts and `probe` hidden states; for the latter see `ProbeEstimator`.
    preset : {"converged", "paper", "release"}, default "converged"
        Of lager-tuned and of strategies that need no fitting.
    scale : str, Scale, sequence of float or None, default None
        What the labels of the last axis are worth: ``"1-5"``, ``"A=4,B=3"``, values, or None for 1 to K. ``"data"``
        puts the labels in even steps between the lowest and the highest human score.
    n_labels : int, "all" or None, default None
        K, where X comes flattened and the scale does not tell; ``"all"`` where X is a single layer.
    seed : int, default 42
        Of folds on which settings are chosen, and of batches.

    Attributes
    ----------
    aggregator_ : Aggregator
        What was learnt, as plain data, for `save_aggregator`.
    scale_ : Scale
    n_features_in_ : int
        ``(n_layers + 1) * n_labels``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(50, 9, 5)), rng.integers(1, 6, size=50)
    >>> StrategyEstimator("ridge").fit(X, y).predict(X).shape
    (50,)
    """

    def __init__(
        self,
        strategy: str = "lager-shrunk",
        *,
        preset: str = "converged",
        scale: str | Scale | Sequence[float] | None = None,
        n_labels: int | str | None = None,
        seed: int = 42,
    ) -> None:
        """Only assign, as scikit-learn asks."""
        self.strategy = strategy
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
        cluster: ArrayLike | None = None,
    ) -> StrategyEstimator:
        """Fit the strategy.

        Parameters
        ----------
        X : array-like of shape (n_items, n_layers + 1, n_labels) or (n_items, (n_layers + 1) * n_labels)
            Read-outs, raw or normed as you like. `vscore` and `e-score` read the last entry.
        y : array-like of shape (n_items,)
            Human scores on the scale; fractions are used as they are.
        sample_weight : array-like of shape (n_items,), optional
            How much each item counts.
        cluster : array-like of shape (n_items,), optional
            Items that share a source text stay together where a strategy leaves items out; rows of equal read-outs,
            which are of one prompt, always do. In a search or cross-validation of scikit-learn's, group rows likewise.

        Raises
        ------
        LagerError
            For shapes that do not fit, values that are not finite, scores off the scale or all equal.
        """
        needs = lookup(self.strategy).needs
        if needs & {"hidden", "lengths"}:
            missing = "hidden states: use ProbeEstimator" if "hidden" in needs else "prompts: use a cache"
            raise LagerError(f"{self.strategy} scores no read-outs, it needs {missing}")
        return self._fit(X, y, sample_weight, cluster=cluster)

    def _strategy_name(self) -> str:
        """Return the parameter."""
        return self.strategy
