"""The agreement metrics by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
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
#: Why distances between distributions, which a sample makes larger than they are, have no interval.
BIASED = "it is larger in any sample than in truth, and resampling adds to that"


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
    space : {"correlation", "share", "error"}
        What it is, which says where its interval is computed.
    of_pairs : bool
        Whether it counts pairs of items of one cluster, so that a cluster tells by the square of its size.
    no_interval : str or None
        Why it has none.
    by_folds : {"raw", "rank", "standard"}
        What it is computed from where a judge's scores are out of fold: the scores as they are, or on one footing, see
        `agreement.fold_scores`.
    """

    compute: Callable[[WeightedPairing], NDArray[np.float64]]
    title: str
    better: Literal["higher", "lower"] | None = "higher"
    on_scale: bool = False
    needs_labels: bool = False
    needs_variation: bool = False
    undefined: str = "no items"
    space: Literal["correlation", "share", "error", "mean square"] = "correlation"
    of_pairs: bool = False
    no_interval: str | None = None
    by_folds: Literal["raw", "rank", "standard"] = "raw"


_SAME_LABEL = "one label for all on both sides"
_SAME_SCORES = "all scores and human scores are the same"
_NO_PAIR = "no two items to compare whose human scores differ"
_NO_YES = "no score reaches the threshold"
_NO_HUMAN_YES = "no human score reaches the threshold"
_ONE_SIDE = "all human scores are on one side of the threshold"
_labels = partial(Metric, on_scale=True, needs_labels=True)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "spearman": Metric(spearman, "Spearman", needs_variation=True, by_folds="rank"),
        "pearson": Metric(pearson, "Pearson", needs_variation=True, by_folds="standard"),
        "kendall": Metric(kendall, "Kendall", needs_variation=True, by_folds="rank"),
        "mae": Metric(mae, "MAE", "lower", on_scale=True, space="error"),
        "rmse": Metric(rmse, "RMSE", "lower", on_scale=True, space="error"),
        "accuracy": _labels(accuracy, "accuracy", space="share"),
        "qwk": _labels(qwk, "QWK", undefined=_SAME_LABEL),
        "pairwise_accuracy": Metric(
            pairwise_accuracy, "pairwise", undefined=_NO_PAIR, space="share", of_pairs=True, by_folds="rank"
        ),
        "krippendorff_alpha": Metric(krippendorff_alpha, "alpha", on_scale=True, undefined=_SAME_SCORES),
        "f1": _labels(f1, "F1", undefined=_NO_YES, space="share"),
        "precision": _labels(precision, "precision", undefined=_NO_YES, space="share"),
        "recall": _labels(recall, "recall", undefined=_NO_HUMAN_YES, space="share"),
        "auroc": Metric(auroc, "AUROC", needs_labels=True, undefined=_ONE_SIDE, space="share", by_folds="rank"),
        "kl": _labels(kl, "KL", "lower", space="error", no_interval=BIASED),
        "minmax_mse": Metric(minmax_mse, "min-max MSE", "lower", needs_variation=True, space="mean square"),
        "wasserstein": Metric(wasserstein, "Wasserstein", "lower", on_scale=True, space="error", no_interval=BIASED),
        "calibration_error": Metric(
            calibration_error, "calibration", "lower", on_scale=True, space="error", no_interval=BIASED
        ),
        "range_used": _labels(
            range_used,
            "range used",
            None,
            space="share",
            no_interval="it rests on two items, the lowest and the highest",
        ),
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
