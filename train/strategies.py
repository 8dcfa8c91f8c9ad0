"""From a strategy's name and labelled read-outs to a fitted aggregator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..data.errors import LagerError
from ..data.readouts import Readouts
from ..data.scale import Scale
from .aggregator import Aggregator
from .layer_weights import check_preset, check_training_data, fit_layer_weights
from .rank_correlation import spearman
from .strategy_names import ABLATION, STRATEGIES, TUNED, Strategy, expand, layer_of, lookup, needs_fitting

__all__ = [
    "ABLATION",
    "STRATEGIES",
    "TUNED",
    "Aggregator",
    "Strategy",
    "derived",
    "expand",
    "fit_strategy",
    "layer_of",
    "lookup",
    "needs_fitting",
    "untrained",
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
    strategy = lookup(name)
    if strategy.needs_fitting:
        raise LagerError(f"strategy {name} has to be fitted: give training data or an aggregator file")
    weights: tuple[float, ...] | None = None
    if strategy.weights == "final":
        weights = _one_hot(n_layers, n_layers)
    elif strategy.weights == "layer":
        layer = layer_of(name)
        if layer is None or layer > n_layers:
            raise LagerError(f"there is no {name}: the read-outs have entries layer:0 to layer:{n_layers}")
        weights = _one_hot(layer, n_layers)
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
    seed : int
        Order of the batches, in the presets that have batches.

    Raises
    ------
    LagerError
        For an unknown name, and for training data that cannot be used.
    """
    check_preset(preset)
    strategy = lookup(name)
    n_layers = train.logits.shape[1] - 1
    if not strategy.needs_fitting:
        return untrained(name, n_layers=n_layers, scale=train.scale, preset=preset)
    labelled = train if np.isfinite(train.human).all() else train.take(np.isfinite(train.human))
    if strategy.weights == "tuned":
        return derived(_fit_lager_tuned(labelled, preset, seed), name)
    if strategy.weights == "best":
        return _fit_best_layer(labelled, preset)
    return _fit_group_mean(labelled, preset)


def derived(aggregator: Aggregator, name: str) -> Aggregator:
    """Return another tuned strategy with a fitted lager-tuned's weights.

    Raises
    ------
    LagerError
        When `aggregator` is not lager-tuned, or `name` is not a tuned strategy.
    """
    if aggregator.strategy != "lager-tuned" or name not in TUNED:
        raise LagerError(
            f"cannot derive {name} from {aggregator.strategy}: only {', '.join(TUNED)} share "
            "weights, those of lager-tuned"
        )
    return replace(aggregator, strategy=name)


def _fit_lager_tuned(train: Readouts, preset: str, seed: int) -> Aggregator:
    """Fit one weight per layer entry."""
    fit = fit_layer_weights(train.logits, train.human, scale=train.scale, preset=preset, seed=seed)
    training = {"n": len(train), "loss": fit.loss, "loss_uniform": fit.loss_uniform, **fit.settings}
    weights = tuple(fit.weights.tolist())
    return Aggregator("lager-tuned", preset, train.scale, len(weights) - 1, weights, training=training)


def _fit_best_layer(train: Readouts, preset: str) -> Aggregator:
    """Choose the entry whose expectation ranks the training items best; of equal ones the lowest."""
    check_training_data(train.logits, train.human, train.scale)
    n_layers = train.logits.shape[1] - 1
    best: tuple[float, int] | None = None
    for layer in range(n_layers + 1):
        single = untrained(f"layer:{layer}", n_layers=n_layers, scale=train.scale)
        rho = spearman(single.predict(train), train.human)
        if rho is not None and (best is None or rho > best[0]):
            best = (rho, layer)
    if best is None:
        raise LagerError("no layer's score varies over the training items, so none is best: train on more items")
    parameters = {"layer": best[1], "spearman": best[0]}
    training = {"n": len(train)}
    weights = _one_hot(best[1], n_layers)
    return Aggregator("best-layer", preset, train.scale, n_layers, weights, parameters, training)


def _fit_group_mean(train: Readouts, preset: str) -> Aggregator:
    """Average the human scores, over all items and by group."""
    if len(train) == 0:
        raise LagerError("there is no item with a human score to train on: add scores to the items, or give --scores")
    by_group: dict[str, list[float]] = {}
    for group, score in zip(train.group if train.group is not None else (), train.human, strict=False):
        if group is not None:
            by_group.setdefault(group, []).append(float(score))
    parameters: dict[str, Any] = {
        "mean": float(train.human.mean()),
        "group_means": {group: float(np.mean(scores)) for group, scores in sorted(by_group.items())},
    }
    n_layers = train.logits.shape[1] - 1
    return Aggregator("group-mean", preset, train.scale, n_layers, None, parameters, {"n": len(train)})


def _one_hot(layer: int, n_layers: int) -> tuple[float, ...]:
    """Return all weight on one entry."""
    return tuple(float(entry == layer) for entry in range(n_layers + 1))


def _uniform(strategy: Strategy, n_layers: int, preset: str) -> tuple[float, ...]:
    """Return equal weights, as the preset has them."""
    if preset != "release":
        return (1.0 / (n_layers + 1),) * (n_layers + 1)
    if n_layers < 1:
        raise LagerError("preset release drops the last entry, and the read-outs have only one: use preset converged")
    # The released code sums per-layer probabilities; logits it averages.
    share = 1.0 if strategy.mixes == "probabilities" else 1.0 / n_layers
    return (*(share,) * n_layers, 0.0)
