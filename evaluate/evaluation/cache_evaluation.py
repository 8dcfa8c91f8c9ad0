"""Evaluate strategies on a cache: what `lager evaluate` does, as one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...data.items.raters import RATED_BY, has_raters
from ...data.items.score_files import ExternalScores, read_external
from ...train.aggregator.aggregator import Aggregator
from ...train.aggregator.presets import check_preset
from ...train.strategies.registry import expand, needs_fitting
from ..agreement.agreement import evaluate_scores
from ..agreement.grouping import group_column, group_series, label_series, regrouped
from ..agreement.intervals import DEFAULT_INTERVAL
from ..agreement.item_level import PARTIAL
from ..agreement.result import Agreement
from ..metrics.metrics import SHOWN
from ..weighted.context import DEFAULT_THRESHOLD
from .evaluated_items import evaluated_items
from .evaluation import Evaluation, reading_notes
from .score_ranges import Range, choose_source, ranges_of, ranges_on, threshold_note
from .scoring import NO_SOURCE, CacheScorer, StrategyScores
from .unseen_groups import unseen_groups

Progress = Callable[[str, float], None]
_LOW_MASS = 0.5


def evaluate_cache(
    cache: FeatureCache,
    strategies: Sequence[str] = ("all",),
    *,
    aggregators: Sequence[Path] = (),
    train: FeatureCache | None = None,
    folds: int | None = None,
    external: Sequence[str] = (),
    preset: str = "converged",
    level: str | None = None,
    by: Sequence[str] = (),
    partial: str | None = None,
    shown: Sequence[str] = SHOWN,
    threshold: float = DEFAULT_THRESHOLD,
    threshold_range: str | None = None,
    baseline: str | None = None,
    interval: str = DEFAULT_INTERVAL,
    systems: str = "these",
    resamples: int = 1000,
    seed: int = 42,
    force: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
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
    external : sequence of str
        Other judges' scores as ``FILE:COLUMN``, joined by id.
    preset : {"converged", "paper", "release"}
        Of what is fitted here or needs no fitting.
    level : {"pooled", "group", "system"}, optional
        ``group`` where the cache declares groups, else ``pooled``.
    by : sequence of str
        Columns of the items that group them, instead of the declared group.
    partial : str, optional
        ``length``: correlations with the prompt's token count partialled out, too.
    shown : sequence of str
        Metrics of the table; all of them are computed.
    threshold, baseline, interval, systems, resamples, seed
        See `evaluate_scores`; the seed also orders folds and fits.
    threshold_range : {"train", "scale", "test"}, optional
        What a judge's threshold is a share of: the range of its scores on `train`, the scale, or the range of its
        scores here. ``train`` where `train` is given, else ``scale``.
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
    if partial not in {None, "length"}:
        raise LagerError(f"--partial {partial}: only length can be partialled out, the prompt's count of tokens")
    range_source = choose_source(threshold_range, train=train is not None)
    check_preset(preset)
    names = expand(strategies)
    scorer = CacheScorer(cache, preset, seed, level, by)
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
    scored = _in_order(scorer.score(progress=lambda done: _tell(progress, "scoring", done)), names)
    if not scored:
        reasons = dict[str, list[str]]()
        for name, reason in scorer.skipped.items():
            reasons.setdefault(reason, []).append(name)
        said = "; ".join(f"{', '.join(of)}: {reason}" for reason, of in reasons.items())
        raise LagerError(f"no strategy left to evaluate: {said}")
    taken = [one.name for one in scored]
    judges = read_external(external, cache.items, cache.scale, taken=taken, prompts=cache.prompts)
    scored += tuple(StrategyScores(one.name, one.scores, "external", 0, True) for one in judges)
    ranges: dict[str, Range] = {}
    if range_source == "train" and train is not None:
        for columns, of in _by_grouping(scorer.aggregators, scored, by).items():
            ranges |= ranges_on(regrouped(train, columns), of, scale=cache.scale)
    elif range_source == "test":
        ranges = ranges_of({one.name: one.scores[np.isfinite(cache.mean_scores)] for one in scored})
    common: dict[str, Any] = {
        "group": group_series(cache.items, by, level=level),
        "cluster": _declared_clusters(cache),
        "system": label_series(cache.items, "system"),
        "together": cache.clusters.cluster if cache.clusters.n_prompts else None,
        "level": level,
        "scale": cache.scale,
        "interval": interval,
        "resamples": resamples,
        "seed": seed,
    }
    agreement = evaluate_scores(
        cache.mean_scores,
        {one.name: one.scores for one in scored},
        annotators=cache.items["scores"],
        raters=cache.items[RATED_BY] if has_raters(cache.items) else None,
        folded={one.name: one.folded for one in scored if one.folded is not None},
        threshold=threshold,
        ranges=ranges,
        baseline=baseline,
        systems=systems,
        off_scale=[one.name for one in scored if not one.on_scale],
        progress=lambda done: _tell(progress, "resampling", done),
        **common,
    )
    about = about_cache(cache) | {
        "by": list(by),
        "threshold": threshold,
        "threshold_range": range_source,
        "preset": preset,
        "evaluated": evaluated_items(cache.items, cache.scale, by=by),
    }
    return Evaluation(
        agreement=agreement,
        partial=None if partial is None else _without_length(cache, scored, common),
        scored=scored,
        items=cache.items,
        scale=cache.scale,
        about=about,
        shown=tuple(shown),
        skipped=scorer.skipped,
        notes=(
            *scorer.notes,
            *cache.clusters.notes,
            *_joined_by_number(judges, cache),
            *(
                line
                for columns, of in _by_grouping(scorer.aggregators, scored, by).items()
                for line in unseen_groups(of, cache, group_column(cache.items, columns))
            ),
            *reading_notes(agreement),
            *threshold_note(shown, range_source, threshold),
            *_low_mass(about["score_mass"]),
        ),
        cache=cache,
        aggregators=scorer.aggregators,
        fold=scorer.fold,
    )


def _without_length(cache: FeatureCache, scored: Sequence[StrategyScores], common: dict[str, Any]) -> Agreement:
    """Return correlations with the prompt's count of tokens partialled out, but of `length` itself."""
    others = [one for one in scored if one.name != "length"]
    if not others:
        raise LagerError("--partial length: name a strategy beside length, of which nothing would be left")
    return evaluate_scores(
        cache.mean_scores,
        {one.name: one.scores for one in others},
        folded={one.name: one.folded for one in others if one.folded is not None},
        partial=cache.n_tokens,
        metrics=PARTIAL,
        **common,
    )


def _declared_clusters(cache: FeatureCache) -> Any:
    """Return the declared clusters, joined where they share a prompt; those of prompts alone hold no pairs to order."""
    declared = label_series(cache.items, "cluster")
    return declared if declared is None or not cache.clusters.n_prompts else cache.clusters.cluster


def about_cache(cache: FeatureCache) -> dict[str, Any]:
    """Return what was read and how, as JSON: model, benchmark, template, condition, mass on the score tokens."""
    recorded, inputs = cache.manifest.get("recorded") or {}, cache.manifest.get("fingerprint_inputs") or {}
    source = (cache.manifest.get("provenance") or {}).get("source") or {}
    prompt = inputs.get("prompt") or {}
    template = prompt.get("template")
    return {
        "model": recorded.get("model"),
        "revision": recorded.get("revision"),
        "benchmark": source.get("benchmark") or (Path(source["file"]).stem if source.get("file") else cache.path.name),
        "condition": (inputs.get("condition") or {}).get("name"),
        "template": None if template is None else sha256(str(template).encode()).hexdigest()[:12],
        "dtype": inputs.get("dtype"),
        "quantization": inputs.get("quantization"),
        "fingerprint": cache.fingerprint,
        "items_hash": cache.items_hash,
        "scale": str(cache.scale),
        "layers": cache.n_layers,
        "rows": cache.n_items,
        "valid": int(cache.valid.sum()),
        "score_mass": score_mass(cache),
    }


def score_mass(cache: FeatureCache) -> dict[str, Any]:
    """Return the model's probability of answering with a score token: mean and 5 % quantile over the valid items."""
    mass = cache.score_mass[cache.valid]
    mass = mass[np.isfinite(mass)]
    if not len(mass):
        return {"mean": None, "low": None, "reason": "the cache has no log-sum-exp of the whole vocabulary"}
    return {"mean": float(mass.mean()), "low": float(np.quantile(mass, 0.05))}


def _low_mass(mass: dict[str, Any]) -> list[str]:
    """Return a note where the model would rather have answered something else than a score."""
    if mass["mean"] is None or mass["mean"] >= _LOW_MASS:
        return []
    return [
        f"the model answers with a score token with probability {mass['mean']:.2f} on average: its scores rest on what "
        "it would rather not have said; check the template"
    ]


def _joined_by_number(judges: Sequence[ExternalScores], cache: FeatureCache) -> list[str]:
    """Return a note where nothing says that scores from a file are of these items: their ids are row numbers."""
    names = [one.name for one in judges if not one.compared]
    if not names or not cache.items["item_id"].str.contains(r"^\d+$").all():
        return []
    return [
        f"{', '.join(names)}: joined by row numbers; nothing in the file says that its items are those of "
        f"{cache.path.name}"
    ]


def _by_grouping(
    aggregators: Mapping[str, Sequence[Aggregator]], scored: Sequence[StrategyScores], by: Sequence[str]
) -> dict[tuple[str, ...], dict[str, Sequence[Aggregator]]]:
    """Return the aggregators by the columns that group the items for them: `by`, or none for the declared group."""
    out: dict[tuple[str, ...], dict[str, Sequence[Aggregator]]] = {}
    for one in scored:
        if one.name in aggregators:
            out.setdefault(tuple(by) if one.regrouped else (), {})[one.name] = aggregators[one.name]
    return out


def _in_order(scored: Sequence[StrategyScores], names: Sequence[str]) -> tuple[StrategyScores, ...]:
    """Sort by the order in which strategies were asked for; those only in aggregator files come last."""
    place = {name: index for index, name in enumerate(names)}
    return tuple(sorted(scored, key=lambda one: place.get(one.name.split("@")[0], len(names))))


def _tell(progress: Progress | None, what: str, done: float) -> None:
    if progress is not None:
        progress(what, done)
