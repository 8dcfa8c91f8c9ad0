"""Agreement of scores with human scores: stage 3 on plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ...data.errors import LagerError
from ...data.scale import Scale
from ..metrics.metrics import METRICS, check_metrics
from ..weighted.context import DEFAULT_THRESHOLD, Context, check_threshold
from .against_baseline import Estimated, Settled
from .bootstrap import ClusterBootstrap
from .estimates import LevelEstimates
from .fold_scores import FoldScores
from .human_reference import human_reference
from .intervals import DEFAULT_INTERVAL, check_kind
from .item_level import check_partial, column_of
from .labelled_scores import LabelledScores
from .levels import choose_level
from .raters import Raters
from .result import Agreement, StrategyAgreement
from .true_means import check_systems


def evaluate_scores(
    human: ArrayLike,
    scores: Mapping[str, ArrayLike],
    *,
    group: ArrayLike | pl.Series | None = None,
    cluster: ArrayLike | pl.Series | None = None,
    system: ArrayLike | pl.Series | None = None,
    together: ArrayLike | pl.Series | None = None,
    annotators: Sequence[Sequence[float]] | pl.Series | None = None,
    partial: ArrayLike | None = None,
    raters: Sequence[Sequence[str] | None] | pl.Series | None = None,
    folded: Mapping[str, FoldScores] | None = None,
    level: str | None = None,
    metrics: Sequence[str] = tuple(METRICS),
    off_scale: Collection[str] = (),
    scale: Scale | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    baseline: str | None = None,
    interval: str = DEFAULT_INTERVAL,
    systems: str = "these",
    resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Agreement:
    """Compare judges' scores with human scores of the same items.

    An item counts for a judge when it has both its score and a human one. All judges are resampled with the same
    draws of clusters.

    Parameters
    ----------
    human : array-like of shape (n_items,)
        Human scores, NaN where there is none.
    scores : mapping of str to array-like of shape (n_items,)
        Each judge's scores, NaN where it has none.
    group, cluster, system : array-like or polars.Series of shape (n_items,), optional
        Labels: what agreement is averaged over, what is resampled as a whole (else single items), what wrote the
        text. Items whose group or system is None form one more; an item whose cluster is None is one by itself.
    together : array-like or polars.Series of shape (n_items,), optional
        Labels of what is resampled as a whole where no `cluster` is given, such as rows of one prompt. Unlike those of
        a cluster, pairs of its items are not what `pairwise_accuracy` counts.
    annotators : sequence of n_items sequences of float, or polars.Series of lists, optional
        Every annotator's score of each item, where they are kept; gives the human reference.
    raters : sequence of n_items sequences of str, or polars.Series of lists, optional
        The annotators' names, one for each of their scores; without them places in the lists are taken for raters.
    partial : array-like of shape (n_items,), optional
        A number for each item, such as its length, to be partialled out of `metrics`, which are some of spearman,
        pearson and kendall then: partial correlations, in each group and everywhere that figures are computed.
    folded : mapping of str to FoldScores, optional
        Judges whose scores are out of fold, with what every fold's model makes of all items: metrics of order and
        Pearson's r compare items across folds on one footing then.
    level : {"pooled", "group", "system"}, optional
        ``group`` where groups are given, else ``pooled``.
    metrics : sequence of str
        From `METRICS`, or ``all``.
    off_scale : collection of str
        Judges whose scores are not on the human scale: they get no mae and rmse.
    scale : Scale, optional
        The score scale; metrics of labels (accuracy, qwk, f1, precision, recall, auroc, kl, range_used) are
        null without it.
    threshold : float
        From where on a score is a yes, for `f1`, `precision` and `recall`, and a human score for `auroc` too: a share
        of the scale.
    ranges : mapping of str to (float, float), optional
        Judges whose threshold is a share of a range of their own, such as that of their scores on training data.
    baseline : str, optional
        A judge that the others are compared with.
    interval : {"jackknife", "percentile", "bca"}
        Kind of the 95 % intervals: Student's t on what the jackknife leaves out, or of a bootstrap.
    systems : {"these", "alike"}
        At the system level: whether intervals speak of the true means of these systems, or of systems like these.
    resamples : int
        Bootstrap resamples, and the most parts that the jackknife leaves out; 0 for no intervals.
    seed : int
        Seed of the draws.
    progress : callable, optional
        Called with the fraction that is done, now and then.

    Returns
    -------
    Agreement

    Raises
    ------
    LagerError
        When lengths differ, scores are infinite, an option is unknown, or nothing can be compared.

    Examples
    --------
    >>> result = evaluate_scores([1, 2, 3, 4], {"judge": [1.2, 1.9, 3.5, 3.1]}, resamples=0)
    >>> round(result["judge"].metrics["spearman"].estimate, 3)
    0.8
    """
    if resamples < 0:
        raise LagerError(f"{resamples} resamples: expected 0 (no intervals) or more; 1000 is usual")
    names = check_metrics(metrics)
    chosen = choose_level(level, grouped=group is not None, systems=system is not None)
    labelled = LabelledScores.check(
        human, scores, group=group, cluster=cluster, system=system, together=together, folded=folded
    )
    n_clusters, cluster_codes = labelled.cluster_codes()
    column = None
    if partial is not None:
        check_partial(names, chosen)
        column = column_of(partial, human)
    context = Context(
        column=column,
        labels=None if scale is None else np.sort(scale.array),
        cluster=None if labelled.cluster is None else cluster_codes,
        threshold=check_threshold(threshold),
        ranges=dict(ranges or {}),
    )
    if chosen == "group":
        _refuse_single_items(labelled)
    if baseline is not None and baseline not in labelled.scores:
        raise LagerError(f"the baseline {baseline!r} is not evaluated: choose from {', '.join(labelled.scores)}")
    bootstrap = ClusterBootstrap(n_clusters, resamples, seed)
    kind = check_kind(interval)
    settled = Settled(labelled, cluster_codes, context, chosen, bootstrap, names, kind, check_systems(systems, chosen))
    batches = list(labelled.batches())
    tick = _ticker(progress, total=len(batches) * (1 if chosen == "pooled" else 2))
    results: dict[str, StrategyAgreement] = {}
    found: dict[str, Estimated] = {}
    for batch in batches:
        rows = ~np.isnan(labelled.scores[next(iter(batch.scores))])
        names_of_batch = list(batch.scores)
        at_level = settled.estimate(rows, names_of_batch, baseline=baseline, progress=tick)
        pooled = at_level
        if chosen != "pooled":
            pooled = settled._replace(level="pooled").estimate(rows, names_of_batch, progress=tick)
        compared = _agreements(batch, at_level, pooled, settled, off_scale=off_scale)
        results |= {result.strategy: result for result in compared}
        found |= {name: Estimated(at_level, index, rows) for index, name in enumerate(batch.scores)}
    scored = labelled.scored()
    strategies = tuple(results[name] for name in labelled.scores)
    reference = None
    if annotators is not None:
        rated = Raters.from_lists(annotators, raters).take(~np.isnan(np.asarray(human, dtype=np.float64)))
        tables = {one.strategy: one.metrics for one in strategies}
        reference = human_reference(rated, settled, tables, off_scale=off_scale)
    return Agreement(
        level=chosen,
        n=int(scored.sum()),
        coverage=float(scored.mean()),
        n_labelled=len(labelled),
        n_groups=None if labelled.group is None else len(labelled.group.segments()[0]),
        n_clusters=None if labelled.cluster is labelled.together is None else n_clusters,
        resamples=resamples,
        seed=seed,
        strategies=strategies,
        interval=settled.interval,
        systems=settled.systems,
        comparison=None if baseline is None else settled.compare(baseline, found, off_scale),
        human_reference=reference,
    )


def _refuse_single_items(labelled: LabelledScores) -> None:
    """Raise `LagerError` when no group has two items: nothing could be ranked in any."""
    if labelled.group is not None:
        labels, codes = labelled.group.segments()
        if len(labels) > 1 and len(labels) == len(codes):
            raise LagerError(
                f"each of the {len(labels)} groups has one labelled item and a correlation needs 2: use level "
                "pooled, or group by another column"
            )


def _agreements(
    batch: LabelledScores,
    at_level: LevelEstimates,
    pooled: LevelEstimates,
    settled: Settled,
    *,
    off_scale: Collection[str],
) -> Iterator[StrategyAgreement]:
    """Yield the agreement of judges that scored the same rows, at the level and pooled."""
    averaged = settled.level != "pooled" and batch.group is not None
    for index, name in enumerate(batch.scores):
        on_scale = name not in off_scale
        yield StrategyAgreement(
            strategy=name,
            n=len(batch),
            coverage=len(batch) / len(settled.labelled),
            metrics=at_level.overall(index, averaged=averaged, on_scale=on_scale),
            pooled=pooled.overall(index, averaged=False, on_scale=on_scale),
            groups=at_level.by_group(index, on_scale=on_scale) if averaged else (),
        )


def _ticker(progress: Callable[[float], None] | None, *, total: int) -> Callable[[float], None]:
    """Return a function that adds up the fractions of `total` estimates and reports that of all."""
    done = 0.0

    def tick(more: float) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(round(done / total, 6))

    return tick
