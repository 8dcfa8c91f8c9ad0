"""From a strategy's name and labelled read-outs to a fitted aggregator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...data.cache.readouts import Readouts
from ...data.cache.stored_readouts import check_memory, is_small, too_large
from ...data.errors import LagerError
from ...data.scale import Scale
from ..aggregator.aggregator import Aggregator
from ..aggregator.strategy_names import (
    ABLATION,
    STRATEGIES,
    TUNED,
    Strategy,
    canonical,
    check_preset,
    expand,
    fitted_as,
    is_bound_to_scale,
    layer_of,
    lookup,
    needs_fitting,
)
from ..solvers.training_data import check_weights
from .best_layer import fit_best_layer, one_hot
from .early import fit_early
from .folds import count_clusters
from .group_mean import learn_group_means
from .isotonic import fit_isotonic
from .labelled import item_weights, padded, used_logits
from .lager_tuned import fit_layer_weights
from .ordinal import fit_ordinal
from .probe import fit_probe
from .rank import fit_ranked
from .ridge import fit_ridge
from .scaled import fit_scaled
from .shrunk import fit_shrunk

__all__ = [
    "ABLATION",
    "STRATEGIES",
    "TUNED",
    "Aggregator",
    "Strategy",
    "canonical",
    "derived",
    "expand",
    "fit_strategy",
    "fitted_as",
    "is_bound_to_scale",
    "layer_of",
    "lookup",
    "needs_fitting",
    "streams",
    "untrained",
    "why_not",
]


def untrained(name: str, *, n_layers: int, scale: Scale, preset: str = "converged") -> Aggregator:
    """Return the aggregator of a strategy that needs no fitting.

    With preset `release` the uniform strategies drop the last layer entry, and `prob` sums instead of averaging.

    Raises
    ------
    LagerError
        For an unknown name, a layer that is not there, or a strategy that needs fitting.
    """
    check_preset(preset)
    name = canonical(name)
    strategy = lookup(name)
    if strategy.needs_fitting:
        raise LagerError(f"strategy {name} has to be fitted: give training data or an aggregator file")
    weights: tuple[float, ...] | None = None
    if strategy.weights == "final":
        weights = one_hot(n_layers, n_layers)
    elif strategy.weights == "layer":
        layer = strategy.number
        if layer is None or layer > n_layers:
            raise LagerError(f"there is no {name}: the read-outs have entries layer:0 to layer:{n_layers}")
        weights = one_hot(layer, n_layers)
    elif strategy.weights == "uniform":
        weights = _uniform(strategy, n_layers, preset)
    return Aggregator(name, preset, scale, n_layers, weights)


def fit_strategy(name: str, train: Readouts, *, preset: str = "converged", seed: int = 42) -> Aggregator:
    """Fit a strategy on the labelled items of `train`.

    The tuned strategies other than lager-tuned use lager-tuned's weights, which are fitted on logits, as the authors do
    in their ablation.

    Parameters
    ----------
    name : str
        Any strategy; one that needs no fitting comes back from `untrained`.
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
    name = canonical(name)
    strategy = lookup(name)
    n_layers = train.logits.shape[1] - 1
    if not strategy.needs_fitting:
        return untrained(name, n_layers=n_layers, scale=train.scale, preset=preset)
    train = _counted(train)
    if not streams(name, preset) or is_small(train.logits):
        train = _in_memory(train, name)
    if strategy.weights == "tuned":
        return derived(_fit_lager_tuned(fitted_as(name), train, preset, seed), name)
    if strategy.weights == "shrunk":
        return fit_shrunk(name, train, seed=seed)
    if strategy.weights == "scaled":
        return fit_scaled(name, train)
    if strategy.weights == "rank":
        return fit_ranked(name, train)
    if strategy.weights == "early":
        return fit_early(name, train, seed=seed)
    if strategy.weights == "best":
        return fit_best_layer(name, train)
    if strategy.reads == "flattened":
        return fit_ridge(name, train) if strategy.picks is None else fit_ordinal(name, train)
    if strategy.reads == "strategy":
        base = strategy.base or ""
        return fit_isotonic(name, train, lambda part: fit_strategy(base, part, preset=preset, seed=seed), seed=seed)
    if strategy.reads == "hidden":
        return fit_probe(name, train, seed=seed)
    return Aggregator(
        name, preset, train.scale, n_layers, None, learn_group_means(train, item_weights(train)), {"n": len(train)}
    )


def streams(name: str, preset: str = "converged") -> bool:
    """Return whether a strategy is fitted to read-outs on disk as they are, without all of them in memory."""
    strategy = lookup(name)
    tuned = strategy.weights == "tuned" and preset == "converged"
    return tuned or strategy.weights == "best" or strategy.reads == "nothing" or not strategy.needs_fitting


def why_not(name: str, train: Readouts, preset: str = "converged") -> str | None:
    """Return why a strategy cannot be fitted on these items whatever their scores are, or None when it can.

    What has no reason here may still fail on the scores themselves, with a `LagerError`.
    """
    strategy = lookup(name)
    base = strategy.base if strategy.base is not None else name
    if lookup(base).reads == "hidden" and not train.hidden:
        return "needs hidden states, and the cache has none: extract with --features hidden"
    if not streams(name, preset) and (reason := too_large(train.logits, hidden=lookup(base).reads == "hidden")):
        return reason
    leaves_out = strategy.weights in {"shrunk", "early"} or is_bound_to_scale(name)
    if leaves_out and name != "group-mean" and strategy.number is None and strategy.needs_fitting:
        labelled = np.isfinite(train.human)
        cluster = None if train.cluster is None else train.cluster[labelled]
        n_clusters = count_clusters(cluster, int(labelled.sum()))
        if labelled.any() and n_clusters < 2:
            return f"chooses its settings by leaving clusters out, and the training items have {n_clusters}"
    return None


def derived(aggregator: Aggregator, name: str) -> Aggregator:
    """Return another tuned strategy with a fitted lager-tuned's weights.

    Raises
    ------
    LagerError
        When `aggregator` is not lager-tuned, or `name` is not a tuned strategy.
    """
    if lookup(name).weights != "tuned" or aggregator.strategy != fitted_as(name):
        raise LagerError(
            f"cannot derive {name} from {aggregator.strategy}: only {', '.join(TUNED)} share "
            "weights, those of lager-tuned with the same options"
        )
    return replace(aggregator, strategy=name)


def _in_memory(train: Readouts, name: str) -> Readouts:
    """Return the same read-outs in memory.

    Raises
    ------
    LagerError
        When there is not memory enough for a fit to them.
    """
    strategy = lookup(name)
    check_memory(train.logits, what=name, hidden=strategy.reads == "hidden")
    if strategy.reads == "strategy":
        return train.loaded()
    return train.loaded(["logits_normed" if strategy.options.readout == "normed" else "logits"])


def _counted(train: Readouts) -> Readouts:
    """Return the items that have a human score and count."""
    counted = np.isfinite(train.human)
    if train.weight is not None:
        check_weights(train.weight, len(train))
        counted &= train.weight > 0.0
    if not counted.any():
        raise LagerError("there is no item with a human score to train on: add scores to the items, or give --scores")
    return train if counted.all() else train.take(counted)


def _fit_lager_tuned(name: str, train: Readouts, preset: str, seed: int) -> Aggregator:
    """Fit one weight per layer entry."""
    options = lookup(name).options
    fit = fit_layer_weights(
        used_logits(train, options),
        train.human,
        scale=train.scale,
        preset=preset,
        seed=seed,
        constraint=options.constraint,
        target=train.target,
        weight=train.weight,
    )
    training = {"n": len(train), "loss": fit.loss, "loss_uniform": fit.loss_uniform, **fit.settings}
    n_layers = train.logits.shape[1] - 1
    weights = padded(fit.weights, n_layers + 1)
    return Aggregator(name, preset, train.scale, n_layers, weights, training=training)


def _uniform(strategy: Strategy, n_layers: int, preset: str) -> tuple[float, ...]:
    """Return equal weights of the entries in use: all, or all but the last, as the preset and the options have it."""
    last = strategy.options.last and preset != "release"
    n_used = n_layers + last
    if n_used < 1:
        raise LagerError("without the last entry nothing is left, as the read-outs have only one: use preset converged")
    # The released code sums per-layer probabilities; logits it averages.
    share = 1.0 if strategy.mixes == "probabilities" and preset == "release" else 1.0 / n_used
    return (*(share,) * n_used, *(0.0,) * (n_layers + 1 - n_used))
