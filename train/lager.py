"""The layer-weighted aggregator in scikit-learn's contract, on plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ..data.errors import LagerError
from ..data.scale import Scale
from .aggregator import Aggregator
from .layer_weights import fit_layer_weights
from .mixing import expected_value, mix_logits


class LagerAggregator(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """LAGER with tuning: ``softmax(sum_l w_l z^(l))`` and its expectation, one weight per layer entry.

    Source: "Beyond the Surface: Enhancing LLM-as-a-Judge Alignment with Human via Internal Representations", section 3.

    Parameters
    ----------
    preset : {"converged", "paper", "release"}, default "converged"
        `converged` minimises CE + MSE over mixtures of all layers; it is deterministic. `paper` trains free weights as
        the paper describes. `release` repeats the authors' released code, which drops the last layer entry.
    scale : str, Scale, sequence of float or None, default None
        What the labels of the last axis are worth: ``"1-5"``, ``"A=4,B=3"``, values, or None for 1 to K.
    n_labels : int or None, default None
        K, where X comes flattened and the scale does not tell.
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
        n_labels: int | None = None,
        seed: int = 42,
    ) -> None:
        """Only assign, as scikit-learn asks."""
        self.preset = preset
        self.scale = scale
        self.n_labels = n_labels
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike) -> LagerAggregator:
        """Fit the layer weights.

        Parameters
        ----------
        X : array-like of shape (n_items, n_layers + 1, n_labels) or (n_items, (n_layers + 1) * n_labels)
            Raw read-outs, without the rows that have none.
        y : array-like of shape (n_items,)
            Human scores on the scale; fractions are used as they are.

        Raises
        ------
        LagerError
            For shapes that do not fit, values that are not finite, scores off the scale or all equal.
        """
        logits = self._readouts(X, n_labels=self._given_n_labels())
        scale = self._scale(logits.shape[2])
        human = np.asarray(y, dtype=np.float64)
        fit = fit_layer_weights(logits, human, scale=scale, preset=self.preset, seed=self.seed)
        self.scale_ = scale
        self.weights_ = fit.weights
        self.loss_, self.loss_uniform_ = fit.loss, fit.loss_uniform
        self.training_ = fit.settings
        self.n_features_in_ = logits.shape[1] * logits.shape[2]
        training = {"n": len(human), "loss": fit.loss, "loss_uniform": fit.loss_uniform, **fit.settings}
        weights = tuple(fit.weights.tolist())
        self.aggregator_ = Aggregator("lager-tuned", self.preset, scale, len(weights) - 1, weights, training=training)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the distribution over the labels, shape (n_items, n_labels); X as in `fit`."""
        check_is_fitted(self, "weights_")
        logits = self._readouts(X, n_labels=len(self.scale_))
        expected = (len(self.weights_), len(self.scale_))
        if logits.shape[1:] != expected:
            raise LagerError(
                f"the read-outs have shape {logits.shape[1:]} an item, the aggregator was fitted on {expected}"
            )
        return mix_logits(logits, self.weights_)

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return expected scores, shape (n_items,); X as in `fit`."""
        return expected_value(self.predict_proba(X), self.scale_.array)

    def _given_n_labels(self) -> int | None:
        """Return the number of labels that the parameters name."""
        if self.n_labels is not None or self.scale is None:
            return self.n_labels
        return len(self._scale(0))

    def _scale(self, n_labels: int) -> Scale:
        """Return the scale; `n_labels` decides where none is given."""
        if isinstance(self.scale, Scale):
            return self.scale
        if isinstance(self.scale, str):
            return Scale.parse(self.scale)
        values = range(1, n_labels + 1) if self.scale is None else self.scale
        return Scale(tuple(str(i) for i in range(1, len(values) + 1)), tuple(float(v) for v in values))

    def _readouts(self, X: ArrayLike, *, n_labels: int | None) -> NDArray[Any]:
        """Return X as (n_items, n_entries, n_labels)."""
        array = np.asarray(X)
        if not np.issubdtype(array.dtype, np.floating):
            array = array.astype(np.float64)
        if array.ndim == 3:
            return array
        if array.ndim != 2:
            raise LagerError(f"got read-outs of {array.ndim} dimensions, expected (n_items, n_layers + 1, n_labels)")
        if n_labels is None:
            raise LagerError("flattened read-outs need `n_labels` or `scale`: LagerAggregator(n_labels=5)")
        if array.shape[1] == 0 or n_labels < 1 or array.shape[1] % n_labels:
            raise LagerError(f"{array.shape[1]} columns are not a whole number of layers of {n_labels} labels")
        return array.reshape(len(array), -1, n_labels)
