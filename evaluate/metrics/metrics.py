"""The agreement metrics by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ..weighted.pairing import WeightedPairing
from .accuracy import accuracy
from .auroc import auroc
from .calibration_error import calibration_error
from .correlation import kendall, pearson, spearman
from .error import mae, rmse
from .kl import kl
from .krippendorff_alpha import krippendorff_alpha
from .minmax_mse import minmax_mse
from .pairwise_accuracy import pairwise_accuracy
from .qwk import qwk
from .range_used import range_used
from .wasserstein import wasserstein
from .yes_no import f1, precision, recall

OFF_SCALE = "not on the human score scale"
NO_SCALE = "the score scale is not given"


class Metric(NamedTuple):
    """How a metric is computed and read.

    Parameters
    ----------
    compute : callable
        From a weighted pairing to an ndarray of shape (n_segments, n_resamples), NaN where undefined.
    title : str
        Its name in tables.
    better : {"higher", "lower"} or None
        Which way is better; None for a description.
    on_scale : bool
        Whether only scores on the human scale have it. The others take any scores.
    needs_labels : bool
        Whether it needs the values of the scale's labels.
    needs_variation : bool
        Whether it is undefined where a side is constant.
    undefined : str
        Why else it may be undefined.
    """

    compute: Callable[[WeightedPairing], NDArray[np.float64]]
    title: str
    better: Literal["higher", "lower"] | None = "higher"
    on_scale: bool = False
    needs_labels: bool = False
    needs_variation: bool = False
    undefined: str = "no items"


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "spearman": Metric(spearman, "Spearman", needs_variation=True),
        "pearson": Metric(pearson, "Pearson", needs_variation=True),
        "kendall": Metric(kendall, "Kendall", needs_variation=True),
        "mae": Metric(mae, "MAE", "lower", on_scale=True),
        "rmse": Metric(rmse, "RMSE", "lower", on_scale=True),
        "accuracy": Metric(accuracy, "accuracy", on_scale=True, needs_labels=True),
        "qwk": Metric(qwk, "QWK", on_scale=True, needs_labels=True, undefined="one label for all on both sides"),
        "pairwise_accuracy": Metric(
            pairwise_accuracy, "pairwise", undefined="no two items to compare whose human scores differ"
        ),
        "krippendorff_alpha": Metric(
            krippendorff_alpha, "alpha", on_scale=True, undefined="all scores and human scores are the same"
        ),
        "f1": Metric(f1, "F1", on_scale=True, needs_labels=True, undefined="no score reaches the threshold"),
        "precision": Metric(
            precision, "precision", on_scale=True, needs_labels=True, undefined="no score reaches the threshold"
        ),
        "recall": Metric(
            recall, "recall", on_scale=True, needs_labels=True, undefined="no human score reaches the threshold"
        ),
        "auroc": Metric(
            auroc, "AUROC", needs_labels=True, undefined="all human scores are on one side of the threshold"
        ),
        "kl": Metric(kl, "KL", "lower", on_scale=True, needs_labels=True),
        "minmax_mse": Metric(minmax_mse, "min-max MSE", "lower", needs_variation=True),
        "wasserstein": Metric(wasserstein, "Wasserstein", "lower", on_scale=True),
        "calibration_error": Metric(calibration_error, "calibration", "lower", on_scale=True),
        "range_used": Metric(range_used, "range used", None, on_scale=True, needs_labels=True),
    }
)

#: What a table on the terminal shows unless others are asked for.
SHOWN = ("spearman", "pearson", "kendall", "mae")


def check_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names without repeats, ``all`` for every one, or raise `LagerError` for one that is no metric."""
    chosen = tuple(dict.fromkeys(one for name in names for one in (METRICS if name == "all" else (name,))))
    if unknown := [name for name in chosen if name not in METRICS]:
        near = difflib.get_close_matches(unknown[0], METRICS, n=2)
        hint = f"did you mean {' or '.join(near)}? All: " if near else "choose from "
        raise LagerError(f"unknown metric {unknown[0]!r}: {hint}{', '.join(METRICS)}")
    return chosen
