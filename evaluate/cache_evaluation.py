"""Evaluate strategies on a cache: what `lager evaluate` does, as one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.cache import FeatureCache
from ..data.errors import LagerError
from ..train.strategies import expand, needs_fitting
from .agreement import evaluate_scores
from .result import Agreement
from .scoring import NO_SOURCE, CacheScorer, StrategyScores

Progress = Callable[[str, float], None]
_FEW_CLUSTERS = 20


@dataclass(frozen=True)
class CacheEvaluation:
    """Agreement of strategies on a cache, and all that a reader has to know about it.

    Parameters
    ----------
    agreement : Agreement
        The figures.
    scored : tuple of StrategyScores
        The scores behind them, in the same order.
    skipped : mapping of str to str
        Strategies without figures, and why.
    notes : tuple of str
        What a reader should know.
    cache : FeatureCache
        What was evaluated.
    """

    agreement: Agreement
    scored: tuple[StrategyScores, ...]
    skipped: dict[str, str]
    notes: tuple[str, ...]
    cache: FeatureCache

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints and results.json holds: no NaN, null with a reason instead."""
        out = self.agreement.as_json()
        for row, scored in zip(out["results"], self.scored, strict=True):
            row |= {"source": scored.source, "in_sample": scored.in_sample}
        out["skipped"] = [{"strategy": name, "reason": reason} for name, reason in self.skipped.items()]
        out["notes"] = list(self.notes)
        out["cache"] = {
            "fingerprint": self.cache.fingerprint,
            "items_hash": self.cache.items_hash,
            "content_hash": self.cache.content_hash,
            "readout_id": self.cache.readout_id,
            "scale": self.cache.scale.as_json(),
            "rows": self.cache.n_items,
        }
        return out


def evaluate_cache(
    cache: FeatureCache,
    strategies: Sequence[str] = ("all",),
    *,
    aggregators: Sequence[Path] = (),
    train: FeatureCache | None = None,
    folds: int | None = None,
    preset: str = "converged",
    level: str | None = None,
    resamples: int = 1000,
    seed: int = 42,
    force: bool = False,
    progress: Progress | None = None,
) -> CacheEvaluation:
    """Score a cache's items by strategies and compare with its human scores.

    Parameters
    ----------
    cache : FeatureCache
        Items with human scores.
    strategies : sequence of str
        Names; ``all`` for every one that has a fixed name.
    aggregators : sequence of Path
        Aggregator files. What they provide is taken from them.
    train : FeatureCache, optional
        Where strategies that need fitting are fitted.
    folds : int, optional
        Or fit them on the cache itself and score out of fold.
    preset : {"converged", "paper", "release"}
        Of what is fitted here or needs no fitting.
    level : {"pooled", "group", "system"}, optional
        ``group`` where the cache declares groups, else ``pooled``.
    resamples, seed : int
        See `evaluate_scores`; the seed also orders folds and fits.
    force : bool
        Apply aggregators of other read-outs.
    progress : callable, optional
        Called with what is being done and the fraction of it that is done.

    Raises
    ------
    LagerError
        When options contradict each other or nothing can be evaluated.
    """
    if train is not None and folds is not None:
        raise LagerError("--train and --folds both say where strategies are fitted: give one of them")
    names = expand(strategies)
    scorer = CacheScorer(cache, preset, seed)
    provided = scorer.add_files(aggregators, names, force=force)
    scorer.add_untrained(name for name in names if not needs_fitting(name) and name not in provided)
    to_fit = [name for name in names if needs_fitting(name) and name not in provided]
    if train is not None:
        _tell(progress, "fitting", 0.0)
        scorer.add_trained(to_fit, train, force=force)
    elif folds is not None:
        scorer.add_folds(to_fit, folds, progress=lambda done: _tell(progress, "fitting by folds", done))
    else:
        scorer.skipped |= dict.fromkeys(to_fit, NO_SOURCE)
    if not scorer.scored:
        raise LagerError(f"no strategy left to evaluate: {', '.join(scorer.skipped)} {NO_SOURCE}")
    scored = _in_order(scorer.scored, names)
    agreement = evaluate_scores(
        cache.mean_scores,
        {one.name: one.scores for one in scored},
        group=cache.column("group"),
        cluster=cache.column("cluster"),
        system=cache.column("system"),
        level=level,
        off_scale=[one.name for one in scored if not one.on_scale],
        resamples=resamples,
        seed=seed,
        progress=lambda done: _tell(progress, "resampling", done),
    )
    notes = [*scorer.notes, *_few_clusters(agreement)]
    return CacheEvaluation(agreement, scored, scorer.skipped, tuple(notes), cache)


def _few_clusters(agreement: Agreement) -> list[str]:
    """Warn of intervals that rest on hardly any independent texts."""
    n_clusters = agreement.n_clusters
    if agreement.resamples and n_clusters is not None and 1 < n_clusters < _FEW_CLUSTERS:
        return [f"the intervals rest on {n_clusters} clusters only; of so few they are usually too narrow"]
    return []


def _in_order(scored: Sequence[StrategyScores], names: Sequence[str]) -> tuple[StrategyScores, ...]:
    """Sort by the order in which strategies were asked for; those only in aggregator files come last."""
    place = {name: index for index, name in enumerate(names)}
    return tuple(sorted(scored, key=lambda one: place.get(one.name.split("@")[0], len(names))))


def _tell(progress: Progress | None, what: str, done: float) -> None:
    if progress is not None:
        progress(what, done)
