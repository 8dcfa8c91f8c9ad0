"""Stage 2: a feature cache becomes a fitted aggregator; numpy and scipy, no torch.

`solvers` minimise, each of `strategies` says how it is fitted and applied, `aggregator` is what was fitted and needs no
solver, `files` keep it, `estimators` offer all to scikit-learn. It knows `data`, and neither `extract` nor `evaluate`.
Public names load on first use, so that importing the package, and the command line, stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aggregator.aggregator import Aggregator
    from .estimators.lager import LagerAggregator
    from .estimators.probe import ProbeEstimator
    from .estimators.strategy import StrategyEstimator
    from .files.aggregator_file import AggregatorRecord, in_sample, load_aggregator, save_aggregator
    from .files.applies import check_applies
    from .solvers.folds import cluster_folds, cluster_holdout
    from .strategies.fit import derived, fit_strategy, untrained
    from .strategies.registry import expand, needs_fitting

__all__ = [
    "Aggregator",
    "AggregatorRecord",
    "LagerAggregator",
    "ProbeEstimator",
    "StrategyEstimator",
    "check_applies",
    "cluster_folds",
    "cluster_holdout",
    "derived",
    "expand",
    "fit_strategy",
    "in_sample",
    "load_aggregator",
    "needs_fitting",
    "save_aggregator",
    "untrained",
]

_HOMES = {
    "Aggregator": "aggregator.aggregator",
    "LagerAggregator": "estimators.lager",
    "ProbeEstimator": "estimators.probe",
    "StrategyEstimator": "estimators.strategy",
    "check_applies": "files.applies",
    "cluster_folds": "solvers.folds",
    "cluster_holdout": "solvers.folds",
    "derived": "strategies.fit",
    "expand": "strategies.registry",
    "fit_strategy": "strategies.fit",
    "needs_fitting": "strategies.registry",
    "untrained": "strategies.fit",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES.get(name, 'files.aggregator_file')}", __name__), name)
