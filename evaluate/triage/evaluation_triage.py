"""What the judges of an evaluation may decide alone, each by the doubt that is known of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.items.item_table import object_column
from ..evaluation.doubt import doubts_of
from ..evaluation.evaluation import Evaluation
from .judge_triage import JudgeTriage
from .large_errors import error_for, large_errors
from .triage import triage
from .wanted import Wanted

DEVIATION, SPREAD = "deviation", "spread over judges"
NO_DOUBT = (
    "no doubt is known of it: its score is not read from a distribution over the labels; give --doubt FILE:COLUMN"
)


def triage_evaluation(
    evaluation: Evaluation, wanted: Wanted, *, doubt: tuple[str, NDArray[np.float64]] | None = None
) -> tuple[list[JudgeTriage], dict[str, str]]:
    """Return what each judge may decide alone, and the judges of which nothing can be said, with the reason.

    Parameters
    ----------
    doubt : (str, ndarray of shape (n_items,)), optional
        A name, and a doubt that stands for every judge's own. When None, a strategy's is the deviation of its
        distribution, out of fold where its scores are, and judges from files have the spread over them, of two or more.
    """
    human = evaluation.human
    labels = evaluation.items["scores"].explode(empty_as_null=True).to_numpy().astype(np.float64)
    scores = np.concatenate([one.scores for one in evaluation.scored if one.on_scale] or [human])
    error, scale = error_for(wanted.error, evaluation.scale, labels, scores)
    cluster = _clusters(evaluation)
    known = _doubts(evaluation) if doubt is None else dict.fromkeys((one.name for one in evaluation.scored), doubt)
    found, without = [], {}
    for one in evaluation.scored:
        if not one.on_scale:
            without[one.name] = "its numbers are no scores on the scale"
            continue
        if one.in_sample:
            without[one.name] = f"it was fitted on {one.in_sample} of these items; on them its errors are too small"
            continue
        if one.name not in known:
            without[one.name] = NO_DOUBT
            continue
        name, unsure = known[one.name]
        wrong = large_errors(one.scores, human, error=error, scale=scale)
        try:
            result = triage(wrong, np.where(np.isnan(one.scores), np.nan, unsure), cluster=cluster, **wanted.options())
        except LagerError as reason:
            without[one.name] = str(reason)
            continue
        found.append(JudgeTriage(one.name, name, error, result))
    return found, without


def _doubts(evaluation: Evaluation) -> dict[str, tuple[str, NDArray[np.float64]]]:
    """Return each judge's doubt with its name, NaN where there is none."""
    n, cache = len(evaluation.items), evaluation.cache
    known: dict[str, tuple[str, NDArray[np.float64]]] = {}
    if cache is not None:
        rows = np.flatnonzero(cache.valid & np.isfinite(evaluation.human))
        for name, doubts in doubts_of(evaluation, rows).items():
            everywhere = np.full(n, np.nan)
            everywhere[rows] = doubts["sd"]
            known[name] = (DEVIATION, everywhere)
    from_files = [one for one in evaluation.scored if one.source == "external"]
    if len(from_files) > 1:
        spread = np.std([one.scores for one in from_files], axis=0)
        known |= {one.name: (SPREAD, spread) for one in from_files}
    return known


def _clusters(evaluation: Evaluation) -> NDArray[np.object_] | None:
    """Return the declared clusters, those of a cache joined where they share a prompt."""
    cache = evaluation.cache
    return object_column(evaluation.items, "cluster") if cache is None else cache.clusters.cluster
