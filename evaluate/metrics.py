"""The agreement metrics by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.errors import LagerError
from .kendall import kendall
from .mae import mae
from .pairing import WeightedPairing
from .pearson import pearson
from .rmse import rmse
from .spearman import spearman


class Metric(NamedTuple):
    """How a metric is computed and read.

    Parameters
    ----------
    compute : callable
        From a weighted pairing to an ndarray of shape (n_segments, n_resamples), NaN where undefined.
    on_scale : bool
        Whether it is an error in units of the human scale: lower is better, and only scores on that scale have one.
        The others are correlations: higher is better, any scores will do.
    """

    compute: Callable[[WeightedPairing], NDArray[np.float64]]
    on_scale: bool


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "spearman": Metric(spearman, on_scale=False),
        "pearson": Metric(pearson, on_scale=False),
        "kendall": Metric(kendall, on_scale=False),
        "mae": Metric(mae, on_scale=True),
        "rmse": Metric(rmse, on_scale=True),
    }
)


def check_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names without repeats, or raise `LagerError` for one that is no metric."""
    chosen = tuple(dict.fromkeys(names))
    if unknown := [name for name in chosen if name not in METRICS]:
        raise LagerError(f"unknown metric {unknown[0]!r}: choose from {', '.join(METRICS)}")
    return chosen
