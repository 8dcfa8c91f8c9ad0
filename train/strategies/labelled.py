"""The parts of labelled read-outs that a strategy's options leave, and the folds it chooses settings on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.strategy_names import LayerOptions
from ..solvers.mixture_loss import MixtureLoss
from .folds import Split, cluster_folds, count_clusters
from .lager_tuned import converged_loss

#: Folds on which a strategy chooses its own settings.
INNER_FOLDS = 5


def used_logits(readouts: Readouts, options: LayerOptions) -> NDArray[Any]:
    """Return the read-outs that the options name, shape (n_items, n_used_entries, n_labels).

    Raises
    ------
    LagerError
        When nothing is left without the last entry.
    """
    logits = readouts.logits_normed if options.readout == "normed" else readouts.logits
    if options.last:
        return logits
    if logits.shape[1] < 2:
        raise LagerError("+no-last leaves no entry: the read-outs have only one; leave the option out")
    return logits[:, :-1]


def training_loss(train: Readouts, options: LayerOptions) -> MixtureLoss:
    """Return the loss of preset converged on the entries that the options leave."""
    return converged_loss(
        used_logits(train, options), train.human, scale=train.scale, target=train.target, weight=train.weight
    )


def padded(weights: NDArray[np.float64], n_entries: int) -> tuple[float, ...]:
    """Return weights of the first entries as one number per entry, 0 for the rest."""
    return (*weights.tolist(), *(0.0,) * (n_entries - len(weights)))


def inner_folds(train: Readouts, *, strategy: str, seed: int) -> list[Split]:
    """Return up to `INNER_FOLDS` folds of the training items, clusters whole; see `check_clusters`."""
    n_folds = min(INNER_FOLDS, check_clusters(train, strategy=strategy))
    return cluster_folds(train.cluster, len(train), n_folds, seed)


def check_clusters(train: Readouts, *, strategy: str) -> int:
    """Return the number of clusters.

    Raises
    ------
    LagerError
        With fewer than two: then nothing can be left out.
    """
    n_clusters = count_clusters(train.cluster, len(train))
    if n_clusters < 2:
        raise LagerError(
            f"{strategy} chooses its settings by leaving clusters out and needs two or more, got {n_clusters} in "
            f"{len(train)} items: train on more source texts, or use lager-tuned"
        )
    return n_clusters


def item_weights(train: Readouts) -> NDArray[np.float64]:
    """Return how much each item counts, sum 1; shape (n_items,)."""
    weight = np.ones(len(train)) if train.weight is None else train.weight
    return weight / weight.sum()
