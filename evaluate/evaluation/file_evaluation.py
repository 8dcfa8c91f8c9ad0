"""Compare judges whose scores are in files, without a feature cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from ...data.cache.prompt_clusters import PromptClusters, with_prompts_whole
from ...data.errors import LagerError
from ...data.items.item_table import mean_scores
from ...data.items.raters import RATED_BY, has_raters
from ...data.items.same_items import PROMPT
from ...data.items.score_files import read_external, read_human_scores
from ...data.scale import Scale
from ..agreement.agreement import evaluate_scores
from ..agreement.grouping import group_series, label_series
from ..agreement.intervals import DEFAULT_INTERVAL
from ..metrics.metrics import SHOWN
from ..weighted.context import DEFAULT_THRESHOLD
from .evaluated_items import evaluated_items
from .evaluation import Evaluation, reading_notes
from .scoring import StrategyScores


def evaluate_score_files(
    scores: Path,
    external: Sequence[str],
    *,
    raters: Sequence[str] = (),
    scale: Scale | None = None,
    level: str | None = None,
    by: Sequence[str] = (),
    shown: Sequence[str] = SHOWN,
    threshold: float = DEFAULT_THRESHOLD,
    baseline: str | None = None,
    interval: str = DEFAULT_INTERVAL,
    systems: str = "these",
    resamples: int = 1000,
    seed: int = 42,
    progress: Callable[[str, float], None] | None = None,
) -> Evaluation:
    """Compare files of judges' scores with a file of human scores."""
    if not external:
        raise LagerError("there is nothing to evaluate: give a CACHE, or --scores FILE and --external FILE:COLUMN")
    items = read_human_scores(scores, scale, raters=raters)
    judges = read_external(external, items, scale)
    prompts = _prompts(items)
    agreement = evaluate_scores(
        mean_scores(items["scores"]),
        {judge.name: judge.scores for judge in judges},
        group=group_series(items, by, level=level),
        cluster=label_series(items, "cluster"),
        system=label_series(items, "system"),
        together=prompts.cluster,
        annotators=items["scores"],
        raters=items[RATED_BY] if has_raters(items) else None,
        level=level,
        scale=scale,
        threshold=threshold,
        baseline=baseline,
        interval=interval,
        systems=systems,
        resamples=resamples,
        seed=seed,
        progress=None if progress is None else lambda done: progress("resampling", done),
    )
    notes = [*prompts.notes, *reading_notes(agreement)]
    if scale is None:
        notes.append("metrics of labels are left out: give --scale for them")
    return Evaluation(
        agreement=agreement,
        scored=tuple(StrategyScores(one.name, one.scores, "external", 0, True) for one in judges),
        items=items,
        scale=scale,
        about={
            "scores": scores.name,
            "external": [Path(spec).name for spec in external],
            "by": list(by),
            "scale": None if scale is None else str(scale),
            "threshold": threshold,
            "evaluated": evaluated_items(items, scale, by=by),
        },
        shown=tuple(shown),
        notes=tuple(notes),
    )


def _prompts(items: pl.DataFrame) -> PromptClusters:
    """Return the clusters of items that have no declared ones: rows of one prompt, where hashes say which these are."""
    if label_series(items, "cluster") is not None or (hashes := label_series(items, PROMPT)) is None:
        return PromptClusters(None, 0, 0)
    known = hashes.fill_null(items["item_id"] + " has no hash")
    return with_prompts_whole(None, np.unique(known.to_numpy(), return_inverse=True)[1].astype(np.uint64))
