"""Agreement of scores with human scores: stage 3 on plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.errors import LagerError
from .estimates import LevelEstimates, estimate_level
from .labelled_scores import LabelledScores
from .levels import LevelName, arrange, choose_level, encode
from .metrics import METRICS, check_metrics
from .resample import ClusterBootstrap
from .result import Agreement, StrategyAgreement


def evaluate_scores(
    human: ArrayLike,
    scores: Mapping[str, ArrayLike],
    *,
    group: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    system: ArrayLike | None = None,
    level: str | None = None,
    metrics: Sequence[str] = tuple(METRICS),
    off_scale: Collection[str] = (),
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
    group, cluster, system : array-like of shape (n_items,), optional
        Labels: what agreement is averaged over, what is resampled as a whole (else single items), what wrote the
        text. Items whose group or system is None form one more; an item whose cluster is None is one by itself.
    level : {"pooled", "group", "system"}, optional
        ``group`` where groups are given, else ``pooled``.
    metrics : sequence of str
        From `METRICS`.
    off_scale : collection of str
        Judges whose scores are not on the human scale: they get no mae and rmse.
    resamples : int
        Bootstrap resamples for the 95 % intervals; 0 for none.
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
        When lengths differ, scores are infinite, or nothing can be compared.

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
    labelled = LabelledScores.check(human, scores, group=group, cluster=cluster, system=system)
    n_clusters, cluster_codes = labelled.cluster_codes()
    bootstrap = ClusterBootstrap(n_clusters, resamples, seed)
    batches = list(labelled.batches())
    tick = _ticker(progress, total=resamples * len(batches) * (1 if chosen == "pooled" else 2))
    results: dict[str, StrategyAgreement] = {}
    for batch in batches:
        rows = ~np.isnan(labelled.scores[next(iter(batch.scores))])
        compared = _compare(
            batch,
            cluster_codes[rows],
            n_labelled=len(labelled),
            level=chosen,
            bootstrap=bootstrap,
            metrics=names,
            off_scale=off_scale,
            tick=tick,
        )
        results |= {result.strategy: result for result in compared}
    scored = labelled.scored()
    return Agreement(
        level=chosen,
        n=int(scored.sum()),
        coverage=float(scored.mean()),
        n_labelled=len(labelled),
        n_groups=None if labelled.group is None else len(encode(labelled.group)[0]),
        n_clusters=None if labelled.cluster is None else n_clusters,
        resamples=resamples,
        seed=seed,
        strategies=tuple(results[name] for name in labelled.scores),
    )


def _compare(
    batch: LabelledScores,
    cluster: NDArray[np.intp],
    *,
    n_labelled: int,
    level: LevelName,
    bootstrap: ClusterBootstrap,
    metrics: Sequence[str],
    off_scale: Collection[str],
    tick: Callable[[int], None],
) -> Iterator[StrategyAgreement]:
    """Yield the agreement of judges that scored the same rows, at the level and pooled."""

    def figures(at: LevelName) -> LevelEstimates:
        arranged = arrange(at, batch.human, list(batch.scores.values()), group=batch.group, system=batch.system)
        return estimate_level(arranged, cluster, bootstrap, metrics, progress=tick)

    pooled = figures("pooled")
    at_level = pooled if level == "pooled" else figures(level)
    averaged = level != "pooled" and batch.group is not None
    for index, name in enumerate(batch.scores):
        on_scale = name not in off_scale
        yield StrategyAgreement(
            strategy=name,
            n=len(batch),
            coverage=len(batch) / n_labelled,
            metrics=at_level.overall(index, averaged=averaged, on_scale=on_scale),
            pooled=pooled.overall(index, averaged=False, on_scale=on_scale),
            groups=at_level.by_group(index, on_scale=on_scale) if averaged else (),
        )


def _ticker(progress: Callable[[float], None] | None, *, total: int) -> Callable[[int], None]:
    """Return a function that counts finished resamples and reports the fraction."""
    done = 0

    def tick(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done / total)

    return tick
