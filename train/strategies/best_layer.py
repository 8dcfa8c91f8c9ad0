"""`best-layer`: the single layer entry whose expectation ranks the training items best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.layer_options import LayerOptions
from ..aggregator.mixing import expected_value, softmax
from ..aggregator.strategy import Fitted, Learnt
from .layer_mixture import LayerMixture, one_hot
from .single_layer import last_weighed

_SCORES_AT_ONCE = 64_000_000  # scores of all entries that are kept at once: 512 MB


@dataclass(frozen=True)
class BestLayer(LayerMixture):
    """The entry of highest `level_spearman` on the training items; of equal ones the lowest."""

    key: str = "best-layer"
    summary: str = "the single layer best on the training data"
    needs = frozenset({"labels", "logits"})

    def streams(self, preset: str) -> bool:
        """Return that each entry's scores are found in blocks."""
        return True

    def last_entry(self, fitted: Fitted) -> int:
        """Return the chosen entry."""
        return last_weighed(fitted)

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Choose the entry."""
        from ..solvers.rank_correlation import level_spearman
        from ..solvers.training_data import check_labels
        from ..solvers.training_items import item_weights, level_groups, used_logits

        check_labels(used_logits(train, self.options).shape, train.human, train.scale)
        weight, (_, group) = item_weights(train), level_groups(train)
        best: tuple[float, int] | None = None
        for entry, scores in enumerate(_scores_of_entries(train, self.options)):
            rho = level_spearman(scores, train.human, weight=weight, group=group)
            if rho is not None and (best is None or rho > best[0]):
                best = (rho, entry)
        if best is None:
            raise LagerError("no layer's score varies over the training items, so none is best: train on more items")
        parameters = {"layer": best[1], "spearman": best[0]}
        return Learnt(one_hot(best[1], train.logits.shape[1] - 1), parameters, {"n": len(train)})


def _scores_of_entries(train: Readouts, options: LayerOptions) -> Iterator[NDArray[np.float64]]:
    """Yield every used entry's expectation of every item, shape (n_items,) each; several from one pass."""
    from ..solvers.training_data import not_finite
    from ..solvers.training_items import used_logits

    n_items, n_entries, _ = used_logits(train, options).shape
    at_once = max(1, _SCORES_AT_ONCE // n_items)
    for first in range(0, n_entries, at_once):
        entries = slice(first, min(first + at_once, n_entries))
        out = np.empty((entries.stop - first, n_items))
        for places, block in train.blocks([options.dataset]):
            logits = used_logits(block, options)[:, entries].astype(np.float64)
            if bad := int((~np.isfinite(logits).all(axis=(1, 2))).sum()):
                raise not_finite(bad, n_items)
            for entry in range(logits.shape[1]):
                out[entry, places] = expected_value(softmax(logits[:, entry]), train.scale.array)
        yield from out
