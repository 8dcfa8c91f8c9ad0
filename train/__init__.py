"""Stage 2: a feature cache becomes a fitted aggregator; numpy and scipy, no torch.

Public names load on first use, so that importing the package, and the command line, stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aggregator import Aggregator
    from .aggregator_file import AggregatorRecord, check_applies, in_sample, load_aggregator, save_aggregator
    from .folds import cluster_folds, cluster_holdout
    from .lager import LagerAggregator
    from .probe_estimator import ProbeEstimator
    from .strategies import derived, expand, fit_strategy, needs_fitting, untrained
    from .strategy_estimator import StrategyEstimator

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
    "Aggregator": "aggregator",
    "LagerAggregator": "lager",
    "ProbeEstimator": "probe_estimator",
    "StrategyEstimator": "strategy_estimator",
    "cluster_folds": "folds",
    "cluster_holdout": "folds",
    "derived": "strategies",
    "expand": "strategies",
    "fit_strategy": "strategies",
    "needs_fitting": "strategies",
    "untrained": "strategies",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES.get(name, 'aggregator_file')}", __name__), name)
