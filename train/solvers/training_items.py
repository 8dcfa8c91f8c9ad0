"""The parts of labelled read-outs that a strategy's options leave, and the folds it chooses settings on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.layer_options import LayerOptions
from .folds import Split, cluster_codes, cluster_folds
from .layer_weights import converged_loss
from .mixture_loss import MixtureLoss
from .training_targets import target_distributions

#: Folds on which a strategy chooses its own settings.
INNER_FOLDS = 5


def used_logits(readouts: Readouts, options: LayerOptions) -> NDArray[Any]:
    """Return the read-outs that the options name, shape (n_items, n_used_entries, n_labels)."""
    logits: NDArray[Any] = getattr(readouts, options.dataset)
    if options.last:
        return logits
    if logits.shape[1] < 2:
        raise LagerError("+no-last leaves no entry: the read-outs have only one; leave the option out")
    return logits[:, :-1]


def training_loss(train: Readouts, options: LayerOptions) -> MixtureLoss:
    """Return the loss of preset converged on the entries that the options leave."""
    loss = converged_loss(
        used_logits(train, options), train.human, scale=train.scale, target=train.target, weight=train.weight
    )
    names, group = level_groups(train)
    return replace(loss, group=group, n_groups=len(names))


def level_groups(train: Readouts) -> tuple[list[str | None], NDArray[np.intp] | None]:
    """Return the names of the groups within which scores are to agree, and each item's number.

    None, and no numbers, where all items are compared with each other. Items without a group are one, the last.
    """
    if train.group is None or train.pooled:
        return [], None
    names = sorted(set(train.group), key=lambda name: (name is None, name))
    if len(names) < 2:
        return [], None
    numbers = {name: number for number, name in enumerate(names)}
    return names, np.array([numbers[name] for name in train.group], dtype=np.intp)


def inner_folds(train: Readouts, *, strategy: str, seed: int) -> list[Split]:
    """Return up to `INNER_FOLDS` folds of the training items, clusters whole; see `checked_clusters`."""
    n_folds = min(INNER_FOLDS, len(np.unique(checked_clusters(train, strategy=strategy))))
    return cluster_folds(train.cluster, len(train), n_folds, seed)


def checked_clusters(train: Readouts, *, strategy: str) -> NDArray[np.intp]:
    """Return each item's cluster as a number from 0, shape (n_items,)."""
    codes = cluster_codes(train.cluster, len(train))
    if (n_clusters := len(np.unique(codes))) < 2:
        raise LagerError(
            f"{strategy} chooses its settings by leaving clusters out and needs two or more, got {n_clusters} in "
            f"{len(train)} items: train on more source texts, or use lager-tuned"
        )
    return codes


def item_weights(train: Readouts) -> NDArray[np.float64]:
    """Return how much each item counts, sum 1; shape (n_items,)."""
    weight = np.ones(len(train)) if train.weight is None else train.weight
    return weight / weight.sum()


def class_targets(train: Readouts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the label values that somebody gave, ascending, and each item's distribution over them.

    Returns
    -------
    ndarray of shape (n_classes,)
    ndarray of shape (n_items, n_classes)
    """
    by_label = target_distributions(train.human, train.scale.array, train.target)
    values, place = np.unique(train.scale.array, return_inverse=True)
    by_value = np.zeros((len(values), len(train)))
    np.add.at(by_value, place, by_label)
    given = by_value.sum(axis=1) > 1e-9
    kept = by_value[given].T
    return values[given], kept / kept.sum(axis=1, keepdims=True)
