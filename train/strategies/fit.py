"""From a strategy and labelled read-outs to a fitted aggregator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...data.cache.readouts import Readouts
from ...data.cache.stored_readouts import check_memory, is_small, too_large
from ...data.errors import LagerError
from ...data.scale import Scale
from ..aggregator.aggregator import Aggregator
from ..aggregator.presets import check_preset
from ..aggregator.strategy import Strategy
from ..solvers.folds import count_clusters
from .registry import STRATEGIES, lookup
from .tuned import LAGER_TUNED


def untrained(name: str | Strategy, *, n_layers: int, scale: Scale, preset: str = "converged") -> Aggregator:
    """Return the aggregator of a strategy that needs no fitting.

    With preset `release` the uniform strategies drop the last layer entry, and `prob` sums instead of averaging.

    Raises
    ------
    LagerError
        For an unknown name, a layer that is not there, or a strategy that needs fitting.
    """
    check_preset(preset)
    return Aggregator.untrained(lookup(name), n_layers, scale, preset)


def fit_strategy(name: str | Strategy, train: Readouts, *, preset: str = "converged", seed: int = 42) -> Aggregator:
    """Fit a strategy on the labelled items of `train`.

    The tuned strategies other than lager-tuned use lager-tuned's weights, which are fitted on logits, as the authors do
    in their ablation.

    Parameters
    ----------
    name : str or Strategy
        Any strategy; one that needs no fitting comes back as from `untrained`.
    train : Readouts
        Items without a human score are left out.
    preset : {"converged", "paper", "release"}
        Of lager-tuned and of what needs no fitting; the other strategies have one way of fitting, the converged one.
    seed : int
        Order of the batches, in the presets that have batches; folds on which settings are chosen.

    Raises
    ------
    LagerError
        For an unknown name, and for training data that cannot be used.
    """
    check_preset(preset)
    strategy = lookup(name)
    if strategy.needs_fitting:
        train = _counted(train)
        if not strategy.streams(preset) or is_small(train.logits):
            check_memory(train.logits, what=strategy.name, hidden="hidden" in strategy.needs)
            train = train.loaded(strategy.read_to_fit)
    return Aggregator.fitted(strategy, train, preset=preset, seed=seed)


def why_not(name: str | Strategy, train: Readouts, preset: str = "converged") -> str | None:
    """Return why a strategy cannot be fitted on these items whatever their scores are, or None when it can.

    What has no reason here may still fail on the scores themselves, with a `LagerError`.
    """
    strategy = lookup(name)
    hidden = "hidden" in strategy.needs
    if hidden and not train.hidden:
        return "needs hidden states, and the cache has none: extract with --features hidden"
    if not strategy.streams(preset) and (reason := too_large(train.logits, hidden=hidden)):
        return reason
    if strategy.chooses_by_clusters:
        labelled = np.isfinite(train.human)
        cluster = None if train.cluster is None else train.cluster[labelled]
        n_clusters = count_clusters(cluster, int(labelled.sum()))
        if labelled.any() and n_clusters < 2:
            return f"chooses its settings by leaving clusters out, and the training items have {n_clusters}"
    return None


def derived(aggregator: Aggregator, name: str) -> Aggregator:
    """Return another strategy that uses the same fit: another tuned strategy with a fitted lager-tuned's weights.

    Raises
    ------
    LagerError
        When the strategy is not fitted as `aggregator` was.
    """
    strategy = lookup(name)
    if strategy.fitted_as != aggregator.strategy:
        tuned = ", ".join(one.name for one in STRATEGIES if one.fitted_as == LAGER_TUNED.name)
        raise LagerError(
            f"cannot derive {name} from {aggregator.strategy}: only {tuned} share weights, those of lager-tuned with "
            "the same options"
        )
    return replace(aggregator, definition=strategy)


def _counted(train: Readouts) -> Readouts:
    """Return the items that have a human score and count."""
    counted = np.isfinite(train.human)
    if train.weight is not None:
        from ..solvers.training_data import check_weights

        check_weights(train.weight, len(train))
        counted &= train.weight > 0.0
    if not counted.any():
        raise LagerError("there is no item with a human score to train on: add scores to the items, or give --scores")
    return train if counted.all() else train.take(counted)
