"""Items with human scores, few or many, and every judge's scores of all of them: what decisions are made on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...data.items.item_table import mean_scores, object_column
from ...data.items.raters import RaterScores, rater_scores
from ...data.items.score_files import ExternalScores, read_external, read_human_scores
from ...data.scale import Scale
from ...train.strategies.registry import expand, needs_fitting
from ..agreement.fold_scores import FoldScores
from ..agreement.grouping import group_column
from ..evaluation.scoring import CacheScorer, StrategyScores
from .unlabelled_items import with_unlabelled

#: Judges of a cache where none is named: the model's own answer, all layers without labels, and two ways to learn.
DEFAULT_JUDGES = ("e-score", "lager", "lager-tuned", "ridge")
DEFAULT_FOLDS = 5


class Judge(NamedTuple):
    """One judge's scores of all items.

    Parameters
    ----------
    scores : ndarray of shape (n_items,)
        NaN where it has none. Of a judge that was fitted by folds: the score of the model that has not seen the item
        where that is labelled, the mean over the models where it is not.
    source : str
        Where its parameters come from: none, aggregator or folds; external for scores from a file.
    on_scale : bool
        Whether the scores are on the human scale.
    folded : FoldScores or None
        What every fold's model makes of all items; its `fold` counts for labelled items alone.
    """

    scores: NDArray[np.float64]
    source: str
    on_scale: bool = True
    folded: FoldScores | None = None

    def take(self, rows: NDArray[np.bool_]) -> Judge:
        """Return the scores of some items."""
        return self._replace(scores=self.scores[rows], folded=None if self.folded is None else self.folded.take(rows))


@dataclass(frozen=True)
class JudgedItems:
    """Row-aligned scores of people and judges.

    Parameters
    ----------
    items : polars.DataFrame
        The item table: `item_id`, `scores` (a list an item, empty where it is not labelled), who gave them where that
        is known, and what else is known of the items, as text.
    human : ndarray of shape (n_items,)
        Mean of each item's raters, NaN where there is none.
    judges : mapping of str to Judge
    group, cluster, system : ndarray of shape (n_items,) of str or None, or None
        None where nothing is declared; items of a cache that share a prompt are of one cluster.
    scale : Scale or None
    notes : tuple of str
        What a reader should know, a line each.
    """

    items: pl.DataFrame
    human: NDArray[np.float64]
    judges: Mapping[str, Judge]
    group: NDArray[np.object_] | None = None
    cluster: NDArray[np.object_] | None = None
    system: NDArray[np.object_] | None = None
    scale: Scale | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of items, labelled or not."""
        return len(self.human)

    @property
    def ids(self) -> list[str]:
        """Each item's id."""
        return self.items["item_id"].to_list()

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Whether an item has a human score: shape (n_items,)."""
        return np.isfinite(self.human)

    @property
    def raters(self) -> list[list[float]]:
        """Every rater's score of each item, in the order of the file."""
        return self.items["scores"].fill_null(pl.Series([[]], dtype=pl.List(pl.Float64))).to_list()

    @property
    def rater_scores(self) -> RaterScores:
        """Every rater's scores of all items, by name, or by place in the lists where no names are known."""
        return rater_scores(self.items)

    def column(self, name: str) -> NDArray[np.object_] | None:
        """Return another column of the items as text, None where it is missing or empty."""
        return object_column(self.items, name)

    def take(self, rows: NDArray[np.bool_]) -> JudgedItems:
        """Return some of the items."""
        group, cluster, system = (None if one is None else one[rows] for one in (self.group, self.cluster, self.system))
        return replace(
            self,
            items=self.items.filter(pl.Series(rows)),
            human=self.human[rows],
            judges={name: judge.take(rows) for name, judge in self.judges.items()},
            group=group,
            cluster=cluster,
            system=system,
        )


def read_judged_items(
    cache: Path | None = None,
    *,
    strategies: Sequence[str] = (),
    folds: int | None = None,
    aggregators: Sequence[Path] = (),
    external: Sequence[str] = (),
    scores: Path | None = None,
    raters: Sequence[str] = (),
    scale: str | None = None,
    by: Sequence[str] = (),
    unlabelled: bool = False,
    preset: str = "converged",
    seed: int = 42,
    force: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> JudgedItems:
    """Read a cache with strategies, or files of scores alone.

    Parameters
    ----------
    cache : Path, optional
        Feature cache; none for files of scores.
    strategies : sequence of str
        Names of a cache's judges. When empty, `DEFAULT_JUDGES`, or none where aggregators or files are given.
    folds : int, optional
        Into how many folds of whole clusters labelled items are split for strategies that are fitted: each model is
        fitted without one fold, and scores all items. `DEFAULT_FOLDS`, or as many as there are clusters.
    aggregators : sequence of Path
        Files of `lager train`, fitted on other items.
    external : sequence of str
        Judges' scores as ``FILE:COLUMN``, joined by id.
    scores : Path, optional
        Human scores as a file with columns id and score, blank where an item has none. Its other columns become
        columns of the items.
    raters : sequence of str
        Columns of that file with one rater's scores each, instead of score.
    scale : str, optional
        Of files alone; a cache has its own.
    by : sequence of str
        Columns of the items that group them, instead of the declared group.
    unlabelled : bool
        Whether items that only judges' files name are items too; of files alone.
    preset, seed, force, progress
        As in `lager evaluate`.

    Raises
    ------
    LagerError
        When options contradict each other, no item is labelled, no judge is left, or an aggregator was fitted on
        labels that are used here.
    """
    if cache is not None:
        if scale is not None:
            raise LagerError("--scale: a cache has its own scale; leave the option out")
        opened = FeatureCache.open(cache)
        return _of_cache(
            opened if scores is None else _with_scores(opened, scores, raters),
            strategies=strategies,
            folds=folds,
            aggregators=aggregators,
            external=external,
            by=by,
            preset=preset,
            seed=seed,
            force=force,
            progress=progress,
        )
    given = {"--strategy": strategies, "--folds": folds, "--aggregator": aggregators}
    if needless := [name for name, value in given.items() if value]:
        raise LagerError(f"{', '.join(needless)} needs a CACHE to score: give one, or leave it out")
    if scores is None or not external:
        raise LagerError("there is nothing to read: give a CACHE, or --scores FILE and --external FILE:COLUMN")
    parsed = None if scale is None else Scale.parse(scale)
    items = read_human_scores(scores, parsed, raters=raters)
    if unlabelled:
        items = with_unlabelled(items, external)
    judges = read_external(external, items, parsed)
    return _judged(items, {one.name: _external(one) for one in judges}, object_column(items, "cluster"), parsed, by)


def _of_cache(
    cache: FeatureCache,
    *,
    strategies: Sequence[str],
    folds: int | None,
    aggregators: Sequence[Path],
    external: Sequence[str],
    by: Sequence[str],
    preset: str,
    seed: int,
    force: bool,
    progress: Callable[[str, float], None] | None,
) -> JudgedItems:
    """Score a cache by its judges."""
    tell = progress or (lambda what, done: None)
    names = expand(strategies or (() if aggregators or external else DEFAULT_JUDGES))
    judges: dict[str, Judge] = {}
    notes: list[str] = list(cache.clusters.notes)
    if names or aggregators:
        scorer = CacheScorer(cache, preset, seed)
        provided = scorer.add_files(aggregators, names, force=force)
        scorer.add_untrained(name for name in names if not needs_fitting(name) and name not in provided)
        if to_fit := [name for name in names if needs_fitting(name) and name not in provided]:
            n_folds = _possible_folds(cache) if folds is None else folds
            if n_folds < 2:
                scorer.skipped |= dict.fromkeys(to_fit, "fitting by folds needs labels in two clusters or more")
            else:
                scorer.add_folds(to_fit, n_folds, everywhere=True, progress=lambda done: tell("fitting by folds", done))
        scored = scorer.score(progress=lambda done: tell("scoring", done))
        judges |= {one.name: _of_strategy(one, cache) for one in scored}
        notes += [*scorer.notes, *(f"{name}: left out, {reason}" for name, reason in scorer.skipped.items())]
    found = read_external(external, cache.items, cache.scale, taken=tuple(judges), prompts=cache.prompts)
    judges |= {one.name: _external(one) for one in found}
    if not judges:
        raise LagerError(f"no judge is left: {'; '.join(notes)}")
    out = _judged(cache.items, judges, cache.clusters.cluster, cache.scale, by)
    return replace(out, notes=tuple(notes))


def _judged(
    items: pl.DataFrame,
    judges: Mapping[str, Judge],
    cluster: NDArray[np.object_] | None,
    scale: Scale | None,
    by: Sequence[str],
) -> JudgedItems:
    return JudgedItems(
        items=items,
        human=mean_scores(items["scores"]),
        judges=judges,
        group=group_column(items, by),
        cluster=cluster,
        system=object_column(items, "system"),
        scale=scale,
    )


def _with_scores(cache: FeatureCache, path: Path, raters: Sequence[str]) -> FeatureCache:
    """Return the cache with a file's human scores, and with the columns that the file has and the cache has not."""
    scored = cache.with_scores(path, raters=raters)
    file = read_human_scores(path, cache.scale, raters=raters)
    known = {name for name in scored.items.columns if scored.items[name].null_count() < len(scored.items)}
    new = [name for name in file.columns if name not in known]
    table = scored.items.drop([name for name in new if name in scored.items.columns])
    return replace(
        scored, items=table.join(file.select("item_id", *new), on="item_id", how="left", maintain_order="left")
    )


def _possible_folds(cache: FeatureCache) -> int:
    """Return the default number of folds, fewer where labels are in fewer clusters."""
    rows = cache.valid & np.isfinite(cache.mean_scores)
    cluster = cache.clusters.cluster
    if cluster is None:
        return min(DEFAULT_FOLDS, int(rows.sum()))
    names = cluster[rows]
    return min(DEFAULT_FOLDS, len({name for name in names if name is not None}) + sum(name is None for name in names))


def _of_strategy(one: StrategyScores, cache: FeatureCache) -> Judge:
    """Return a strategy's scores; refuse one that was fitted on labels that are used here."""
    if one.in_sample:
        raise LagerError(
            f"{one.name} was fitted on {one.in_sample} of the labelled items here, and would correct itself with what "
            f"it has seen: name the strategy with --strategy {one.name.partition('@')[0]}, which fits it by folds"
        )
    if one.folded is None:
        return Judge(one.scores, one.source, one.on_scale)
    folded = FoldScores(one.folded.by_model.astype(np.float64), one.folded.fold)
    unlabelled = cache.valid & ~np.isfinite(cache.mean_scores)
    scores = one.scores.copy()
    scores[unlabelled] = folded.by_model[:, unlabelled].mean(axis=0)
    return Judge(scores, one.source, one.on_scale, folded)


def _external(one: ExternalScores) -> Judge:
    return Judge(one.scores, "external")
