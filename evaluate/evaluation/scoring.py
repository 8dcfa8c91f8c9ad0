"""Scores of strategies for the items of a cache, each from the source that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ...train.aggregator.aggregator import Aggregator
from ...train.aggregator.predictions import predict_all
from ...train.files.aggregator_file import AggregatorRecord, in_sample, load_aggregator
from ...train.files.applies import check_applies
from ...train.solvers.folds import Split, cluster_folds
from ...train.strategies.fit import derived, fit_strategy, untrained, why_not
from ...train.strategies.registry import lookup
from ...train.training_run import train_on_cache
from ..agreement.fold_scores import FoldScores
from ..agreement.grouping import group_column, has_columns, regrouped

NO_SOURCE = "needs fitting: give --train CACHE, --aggregator FILE or --folds N"


class StrategyScores(NamedTuple):
    """One strategy's scores of a cache's items.

    Parameters
    ----------
    name : str
        What the tables call it.
    scores : ndarray of shape (n_items,)
        NaN in rows that it does not score.
    source : str
        Where its parameters come from: none, train, aggregator or folds; external for scores from a file.
    in_sample : int
        Evaluated rows that it was fitted on.
    on_scale : bool
        Whether the scores are on the human scale.
    folded : FoldScores or None
        What every fold's model makes of all items, where they are out of fold.
    seen : ndarray of shape (n_items,), or None
        Which items it was fitted on, told by their prompts; None where that is known to be none.
    regrouped : bool
        Whether the groups that it learnt and scores by are those of ``--by``.
    """

    name: str
    scores: NDArray[np.float64]
    source: str
    in_sample: int
    on_scale: bool
    folded: FoldScores | None = None
    seen: NDArray[np.bool_] | None = None
    regrouped: bool = False


@dataclass
class CacheScorer:
    """Scores a cache's items by one strategy after another, and keeps what was skipped and should be known.

    Parameters
    ----------
    cache : FeatureCache
        The items to score.
    preset : str
        Variant of the strategies that are fitted here or need no fitting.
    seed : int
        Of fits and folds.
    level : str or None
        At which scores are to agree: strategies that are fitted here are fitted for it.
    by : sequence of str
        Columns that group the items, instead of the declared group, for what is fitted here. Aggregator files keep to
        the groups that they learnt.
    """

    cache: FeatureCache
    preset: str = "converged"
    seed: int = 42
    level: str | None = None
    by: Sequence[str] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    aggregators: dict[str, list[Aggregator]] = field(default_factory=dict)
    fold: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        """Read the valid rows once; refuse a cache on which nothing can be evaluated."""
        self._valid = np.flatnonzero(self.cache.valid)
        labelled = np.isfinite(self.cache.mean_scores)
        if not labelled.any():
            raise LagerError(
                f"cache {self.cache.path} has no human scores: give --scores FILE with columns id and score"
            )
        if not labelled[self._valid].any():
            raise LagerError(
                f"none of the {labelled.sum()} items with a human score in cache {self.cache.path} is valid: see the "
                "reasons with lager cache info"
            )
        self.readouts = replace(self.cache.readouts(), pooled=self.level == "pooled")
        self._evaluated = self.cache.valid & labelled
        self._grouped = self.readouts  # as what is fitted here takes the items
        if self.by and (group := group_column(self.cache.items, self.by)) is not None:
            self._grouped = replace(self.readouts, group=group[self._valid])
        self._to_score: list[_Source] = []
        self._out_of_fold: list[StrategyScores] = []

    def add_untrained(self, names: Iterable[str]) -> None:
        """Score by strategies that need no fitting."""
        for name in names:
            aggregator = untrained(name, n_layers=self.cache.n_layers, scale=self.cache.scale, preset=self.preset)
            self._add(_Source(name, aggregator, "none"))

    def add_files(self, paths: Sequence[Path], wanted: Sequence[str], *, force: bool) -> set[str]:
        """Score by aggregator files; a lager-tuned one gives the wanted ones of the other tuned strategies too."""
        records = [(path, load_aggregator(path)) for path in paths]
        strategies = [record.aggregator.strategy for _, record in records]
        provided: set[str] = set()
        for path, record in records:
            self._note(check_applies(record, self.cache, force=force), about=str(path))
            own = record.aggregator.strategy
            family = [name for name in wanted if name != own and lookup(name).fitted_as == own]
            for name in (own, *family):
                label = name if strategies.count(own) == 1 else f"{name}@{path.stem}"
                if any(label == other.label for other in self._to_score):
                    raise LagerError(f"two aggregators would both be called {label}: rename one of the files")
                self._add(_Source(label, _variant(record.aggregator, name), "aggregator", record))
                provided.add(name)
        return provided

    def add_trained(self, names: Sequence[str], train: FeatureCache, *, force: bool) -> None:
        """Fit strategies on another cache, lager-tuned's weights once for all that share them.

        Its groups are those of `by` where it has such columns. What cannot be fitted is skipped with the reason.
        """
        level = "pooled" if self.level == "pooled" else None
        follows = bool(self.by) and has_columns(train.items, self.by)
        if follows:
            train = regrouped(train, self.by)
        elif self.by and names:
            self.notes.append(
                f"--by: cache {train.path} has no column {', '.join(self.by)}, so what is fitted there is fitted for "
                f"{'pooled agreement' if train.column('group') is None else 'its own groups'}"
            )
        readouts = train.readouts()
        if not np.isfinite(readouts.human).any():
            raise LagerError(f"cache {train.path} has no valid item with a human score to train on: add scores to it")
        for base, members in fitted_once(names).items():
            reason = why_not(base, readouts, self.preset)
            if lookup(base).bound_to_scale and train.scale != self.cache.scale:
                reason = f"learns scores on the training scale {train.scale}, the cache is on {self.cache.scale}"
            if reason is not None:
                self.skipped |= dict.fromkeys(members, reason)
                continue
            try:
                run = train_on_cache(train, strategy=base, preset=self.preset, level=level, seed=self.seed)
            except LagerError as error:
                self.skipped |= dict.fromkeys(members, str(error))
                continue
            poolings = run.record.aggregator.definition.poolings(run.record.aggregator)
            if missing := [one for one in poolings if one not in self.readouts.hidden]:
                reason = f"needs hidden states ({', '.join(missing)}), and cache {self.cache.path} has none of these"
                self.skipped |= dict.fromkeys(members, reason)
                continue
            self._note((*run.notes, *check_applies(run.record, self.cache, force=force)), about=f"{train.path}")
            for name in members:
                self._add(_Source(name, _variant(run.record.aggregator, name), "train", run.record, follows))

    def add_folds(
        self,
        names: Sequence[str],
        n_folds: int,
        *,
        everywhere: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Score every labelled item by parameters fitted without its fold; folds keep clusters whole.

        With `everywhere`, each fold's model scores the items without a human score too, in `FoldScores.by_model`. What
        cannot be fitted without one of the folds is skipped with the reason: its scores would be of other items.
        """
        rows, folds = labelled_folds(self.readouts, n_folds, self.seed)
        labelled = self._grouped.take(rows)
        for fold in folds:
            train = labelled.take(fold.train)
            self.skipped |= {
                name: reason for name in names if (reason := why_not(name, train, self.preset)) is not None
            }
        names = [name for name in names if name not in self.skipped]
        by_model = {name: np.full((n_folds, self.cache.n_items), np.nan, dtype=np.float32) for name in names}
        out = {name: np.full(len(self.readouts), np.nan) for name in names}
        unseen = np.zeros(self.cache.n_items, dtype=np.intp)
        places = self._valid[rows]
        to_score, scored = (self._grouped, self._valid) if everywhere else (labelled, places)
        for done, fold in enumerate(folds, start=1):
            unseen[places[fold.test]] = done - 1
            train = labelled.take(fold.train)
            fitted: dict[str, Aggregator] = {}
            for base, members in fitted_once(out).items():
                try:
                    one = fit_strategy(base, train, preset=self.preset, seed=self.seed)
                except LagerError as error:
                    for name in members:
                        self.skipped[name] = f"without fold {done} of {n_folds}: {error}"
                        del out[name], by_model[name]
                        self.aggregators.pop(name, None)
                    continue
                fitted |= {name: _variant(one, name) for name in members}
            for name, aggregator in fitted.items():
                self.aggregators.setdefault(name, []).append(aggregator)
            for name, scores in predict_all(fitted, to_score).items():
                by_model[name][done - 1, scored] = scores
                out[name][rows[fold.test]] = scores[rows[fold.test] if everywhere else fold.test]
            if progress is not None:
                progress(done / n_folds)
        self.fold = np.zeros(self.cache.n_items, dtype=np.intp)
        self.fold[places] = unseen[places] + 1
        self._out_of_fold += [
            self._scores(name, name, scores, "folds")._replace(
                folded=FoldScores(by_model[name], unseen), regrouped=bool(self.by)
            )
            for name, scores in out.items()
        ]

    def score(self, *, progress: Callable[[float], None] | None = None) -> list[StrategyScores]:
        """Score by everything that was added, in one pass over the read-outs; these are let go then."""
        found: dict[str, NDArray[np.float64]] = {}
        for by, readouts in ((False, self.readouts), (True, self._grouped)):
            some = {one.label: one.aggregator for one in self._to_score if one.regrouped == by}
            found |= predict_all(some, readouts, progress=progress)
        del self.readouts, self._grouped
        keys = self.cache.prompt_keys() if any(one.record is not None for one in self._to_score) else None
        scored = []
        for one in self._to_score:
            seen = None if one.record is None or keys is None else in_sample(one.record, keys)
            strategy = one.aggregator.strategy
            own = self._scores(one.label, strategy, found.pop(one.label), one.source, seen)
            scored.append(own._replace(regrouped=one.regrouped))
        self._to_score.clear()  # with the training rows of each
        return [*scored, *self._out_of_fold]

    def _add(self, source: _Source) -> None:
        self.aggregators[source.label] = [source.aggregator]
        self._to_score.append(source)

    def _scores(
        self,
        label: str,
        strategy: str,
        scores: NDArray[np.float64],
        source: str,
        seen: NDArray[np.bool_] | None = None,
    ) -> StrategyScores:
        everywhere = scores
        if len(self._valid) < self.cache.n_items:
            everywhere = np.full(self.cache.n_items, np.nan)
            everywhere[self._valid] = scores
        in_sample = 0 if seen is None else int((seen & self._evaluated).sum())
        return StrategyScores(label, everywhere, source, in_sample, lookup(strategy).on_scale, seen=seen)

    def _note(self, notes: Iterable[str], *, about: str) -> None:
        for note in notes:
            if (line := f"{about}: {note}") not in self.notes:
                self.notes.append(line)


class _Source(NamedTuple):
    """What scores: label, parameters, where they come from, what they were fitted on, if its groups are by `by`."""

    label: str
    aggregator: Aggregator
    source: str
    record: AggregatorRecord | None = None
    regrouped: bool = False


def labelled_folds(readouts: Readouts, n_folds: int, seed: int) -> tuple[NDArray[np.intp], list[Split]]:
    """Return the rows that have a human score, and the folds that these are split into."""
    rows = np.flatnonzero(np.isfinite(readouts.human))
    cluster = None if readouts.cluster is None else readouts.cluster[rows]
    return rows, cluster_folds(cluster, len(rows), n_folds, seed)


def fitted_once(names: Iterable[str]) -> Mapping[str, list[str]]:
    """Group strategies by the one that has to be fitted for them."""
    out: dict[str, list[str]] = {}
    for name in names:
        out.setdefault(lookup(name).fitted_as, []).append(name)
    return out


def _variant(fitted: Aggregator, name: str) -> Aggregator:
    """Return a fitted aggregator as another strategy with the same weights."""
    return fitted if fitted.strategy == name else derived(fitted, name)
