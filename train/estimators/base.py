"""What the estimators share: read-outs as plain arrays, flattened or not, in scikit-learn's contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ...data.cache.prompt_clusters import with_prompts_whole
from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ...data.scale import Scale
from ..aggregator.aggregator import Aggregator
from ..aggregator.mixing import require_finite
from ..solvers.training_data import check_weights
from ..strategies.fit import fit_strategy
from ..strategies.registry import lookup


def _has_proba(estimator: ReadoutEstimator) -> bool:
    """Return whether the estimator's strategy reads its score from a distribution over the labels."""
    return lookup(estimator._strategy_name()).picks is not None


class ReadoutEstimator(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator on read-outs of shape (n_items, n_layers + 1, n_labels), or the same flattened.

    A subclass has the parameters `preset`, `scale`, `n_labels` and `seed`, and says by `_strategy_name` what it fits.
    """

    preset: str
    seed: int
    scale: str | Scale | Sequence[float] | None
    n_labels: int | str | None
    aggregator_: Aggregator
    scale_: Scale

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return one score per item, shape (n_items,); X as in `fit`."""
        check_is_fitted(self, "aggregator_")
        return self.aggregator_.predict(self._to_score(X))

    @available_if(_has_proba)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the distribution over the labels, shape (n_items, n_labels); only where the strategy has one."""
        check_is_fitted(self, "aggregator_")
        return self.aggregator_.predict_proba(self._to_score(X))

    def _strategy_name(self) -> str:
        """Return the strategy that the parameters name."""
        raise NotImplementedError(f"{type(self).__name__} does not say which strategy it fits")

    def _fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        *,
        cluster: ArrayLike | None = None,
        target: ArrayLike | None = None,
    ) -> Self:
        """Fit the strategy to read-outs as `fit` was given them."""
        train = self._to_fit(X, y, sample_weight, cluster)
        if target is not None:
            train = replace(train, target=np.asarray(target, dtype=np.float64))
        self.aggregator_ = fit_strategy(self._strategy_name(), train, preset=self.preset, seed=self.seed)
        return self

    def _to_fit(
        self, X: ArrayLike, y: ArrayLike | None, sample_weight: ArrayLike | None, cluster: ArrayLike | None
    ) -> Readouts:
        """Return training data as read-outs, and remember their shape."""
        if y is None:
            raise LagerError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: give human scores"
            )
        human = _numbers(np.asarray(column_or_1d(y, warn=True)), "human scores")
        logits = self._logits(X, n_labels=self._given_n_labels())
        if bad := int((~np.isfinite(logits).all(axis=(1, 2))).sum()):
            raise LagerError(f"{bad} of {len(logits)} items have read-outs that are not finite (NaN or infinite)")
        scale = self._scale(logits.shape[2], human)
        validate_data(self, X if np.asarray(X).ndim == 2 else _flat(logits), skip_check_array=True, reset=True)
        self.scale_ = scale
        weight = None if sample_weight is None else _numbers(np.asarray(sample_weight), "sample weights")
        if weight is not None:
            check_weights(weight, len(human))
        return plain_readouts(logits, scale, human=human, weight=weight, cluster=clusters_of(cluster, logits))

    def _to_score(self, X: ArrayLike) -> Readouts:
        """Return items to score as read-outs of the shape seen in `fit`."""
        if np.asarray(X).ndim == 2:
            validate_data(self, X, skip_check_array=True, reset=False)
        logits = self._logits(X, n_labels=len(self.scale_))
        expected = (self.aggregator_.n_layers + 1, len(self.scale_))
        if logits.shape[1:] != expected:
            raise LagerError(
                f"the read-outs have shape {logits.shape[1:]} an item, the aggregator was fitted on {expected}"
            )
        require_finite(_flat(logits))
        return plain_readouts(logits, self.scale_)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: read-outs have one structure, and other columns are not predicted well."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags

    def _given_n_labels(self) -> int | str | None:
        """Return the number of labels that the parameters name."""
        if self.n_labels is not None or self.scale is None or _is_text(self.scale, "data"):
            return self.n_labels
        return len(self._scale(0, np.zeros(0)))

    def _scale(self, n_labels: int, human: NDArray[np.float64]) -> Scale:
        """Return the scale; `n_labels` decides where none is given, the human scores where they are to span it."""
        if isinstance(self.scale, Scale):
            return self.scale
        if isinstance(self.scale, str) and self.scale != "data":
            return Scale.parse(self.scale)
        values: Sequence[float] | NDArray[np.float64]
        if self.scale is None:
            values = range(1, n_labels + 1)
        elif isinstance(self.scale, str):
            values = _spanned(human, n_labels)
        else:
            values = self.scale
        return Scale(tuple(str(i) for i in range(1, len(values) + 1)), tuple(float(v) for v in values))

    def _logits(self, X: ArrayLike, *, n_labels: int | str | None) -> NDArray[Any]:
        """Return X as (n_items, n_entries, n_labels)."""
        if hasattr(X, "toarray"):
            raise LagerError("got a sparse matrix, expected a dense array of read-outs: give X.toarray()")
        array = _numbers(np.asarray(X), "read-outs")
        if array.ndim == 3:
            return array
        if array.ndim != 2:
            raise LagerError(
                f"got read-outs of {array.ndim} dimensions: Reshape your data to (n_items, L + 1, n_labels)"
            )
        if n_labels is None:
            raise LagerError(f"flattened read-outs need `n_labels` or `scale`: {type(self).__name__}(n_labels=5)")
        if array.shape[1] < 2:
            raise LagerError(
                f"{array.shape[1]} feature(s) (shape={array.shape}) while a minimum of 2 is required: one a label"
            )
        if isinstance(n_labels, str):
            if n_labels != "all":
                raise LagerError(f"got n_labels={n_labels!r}, expected a number, or 'all' for a single layer")
            return array[:, None]
        if n_labels < 1 or array.shape[1] % n_labels:
            raise LagerError(f"{array.shape[1]} columns are not a whole number of layers of {n_labels} labels")
        return array.reshape(len(array), -1, n_labels)


def plain_readouts(
    logits: NDArray[Any],
    scale: Scale,
    *,
    human: NDArray[np.float64] | None = None,
    weight: NDArray[np.float64] | None = None,
    cluster: NDArray[np.object_] | None = None,
) -> Readouts:
    """Return plain arrays as read-outs; the normed ones are the same, since X is what the user chose."""
    n = len(logits)
    if human is not None and len(human) != n:
        raise LagerError(f"got {n} items and {len(human)} human scores: inconsistent numbers of samples; give one each")
    return Readouts(
        item_id=np.arange(n).astype(str).astype(object),
        logits=logits,
        logits_normed=logits,
        n_tokens=np.zeros(n, dtype=np.int32),
        human=np.full(n, np.nan) if human is None else human,
        group=None,
        cluster=cluster,
        scale=scale,
        weight=weight,
    )


def clusters_of(cluster: ArrayLike | None, readouts: NDArray[Any]) -> NDArray[np.object_] | None:
    """Return clusters in which equal read-outs, rows of one prompt, are together."""
    given = None if cluster is None else np.asarray(cluster, dtype=object)
    if given is not None and len(given) != len(readouts):
        return given  # refused where clusters are counted
    flat = np.ascontiguousarray(_flat(readouts))
    _, prompt = np.unique(flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))), return_inverse=True)
    return with_prompts_whole(given, prompt.ravel().astype(np.uint64)).cluster


def _numbers(array: NDArray[Any], what: str) -> NDArray[Any]:
    """Return an array of floats."""
    if np.iscomplexobj(array):
        raise LagerError(f"Complex data not supported: {what} are real numbers")
    if np.issubdtype(array.dtype, np.floating):
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise LagerError(f"{what} must be numbers, got an array of {array.dtype}") from None


def _spanned(human: NDArray[np.float64], n_labels: int) -> NDArray[np.float64]:
    """Return label values in even steps from the lowest to the highest human score."""
    finite = human[np.isfinite(human)]
    if not len(finite):
        raise LagerError("scale='data' spans the human scores, and there are none that are finite: give a scale")
    low, high = float(finite.min()), float(finite.max())
    return np.linspace(low, high if high > low else low + 1.0, n_labels)


def _flat(logits: NDArray[Any]) -> NDArray[Any]:
    """Return read-outs with one row per item."""
    return logits.reshape(len(logits), -1)


def _is_text(value: object, text: str) -> bool:
    """Return whether a parameter is this text; one that is an array compares as arrays do."""
    return isinstance(value, str) and value == text
