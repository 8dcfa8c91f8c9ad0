"""The same items read with several prompts: agreement with people of each, and with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...data.scale import Scale
from ..agreement.agreement import evaluate_scores
from ..agreement.result import Estimate
from ..evaluation.applied import choose_aggregators, scores_and_distributions
from ..evaluation.readings import check_same_items, reading_differences

_WITH_PEOPLE, _WITH_EACH_OTHER = ("spearman", "pearson"), ("spearman", "kendall")


class PromptFigures(NamedTuple):
    """One strategy under one prompt.

    Attributes
    ----------
    strategy, prompt : str
    people : dict of str to Estimate
        Spearman and Pearson with human scores, empty where there are none.
    others : dict of str to float or None
        Mean Spearman and Kendall with the scores under each other prompt.
    mean : float
        Of the scores, as a share of the scale from its lowest to its highest value.
    """

    strategy: str
    prompt: str
    people: dict[str, Estimate]
    others: dict[str, float | None]
    mean: float


class Sensitivity(NamedTuple):
    """What `prompt_sensitivity` returns.

    Attributes
    ----------
    n_items : int
        Items that are valid under every prompt.
    level : str
        ``group`` where figures are means over groups, else ``pooled``.
    figures : list of PromptFigures
    spread : dict of str to float
        For each strategy how much an item's score moves: the mean over items of the standard deviation over prompts,
        as a share of the scale.
    between : list of dict
        Spearman and Kendall of each strategy for each two prompts.
    notes : list of str
        What the user should know, one line each.
    """

    n_items: int
    level: str
    figures: list[PromptFigures]
    spread: dict[str, float]
    between: list[dict[str, Any]]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return everything in JSON types."""
        figures = [
            {**one._asdict(), "people": {name: estimate.as_json() for name, estimate in one.people.items()}}
            for one in self.figures
        ]
        return {**self._asdict(), "figures": figures}


def prompt_sensitivity(
    caches: Mapping[str, FeatureCache],
    strategies: Sequence[str] = ("e-score", "lager"),
    *,
    aggregators: Sequence[Path] = (),
    resamples: int = 1000,
    seed: int = 42,
    force: bool = False,
) -> Sensitivity:
    """Compare scores of the same items under several prompts, one cache each."""
    if len(caches) < 2:
        raise LagerError(f"got {len(caches)} cache, expected two or more of the same items read with other prompts")
    rows = _common_rows(caches)
    untold = _check_items(caches, rows)
    first = next(iter(caches.values()))
    some = rows[next(iter(caches))]
    columns = {"group": first.column("group"), "cluster": first.clusters.cluster}
    labels = {name: None if column is None else column[some] for name, column in columns.items()}
    scores: dict[str, dict[str, NDArray[np.float64]]] = {}
    notes = [*_what_differs(caches), *untold, *first.clusters.notes]
    for name, cache in caches.items():
        chosen, doubts = choose_aggregators(cache, strategies, aggregators, force=force)
        notes += [f"{name}: {doubt}" for doubt in doubts]
        for strategy, (score, _) in scores_and_distributions(cache, chosen).items():
            scores.setdefault(strategy, {})[name] = _share(score[rows[name]], cache.scale)
    people = {name: _share(cache.mean_scores[rows[name]], cache.scale) for name, cache in caches.items()}
    figures, between = [], []
    for strategy, by_prompt in scores.items():
        pairs = [
            _between(strategy, one, other, by_prompt, {"group": labels["group"]})
            for one, other in combinations(caches, 2)
        ]
        between += pairs
        for name in caches:
            agreement = _with_people(people[name], by_prompt[name], labels, resamples=resamples, seed=seed)
            others = {metric: _mean([pair[metric] for pair in pairs if name in pair["prompts"]])
                      for metric in _WITH_EACH_OTHER}  # fmt: skip
            figures.append(PromptFigures(strategy, name, agreement, others, float(by_prompt[name].mean())))
    spread = {
        strategy: float(np.std(np.stack(list(by_prompt.values())), axis=0).mean())
        for strategy, by_prompt in scores.items()
    }
    return Sensitivity(len(some), "pooled" if labels["group"] is None else "group", figures, spread, between, notes)


def _common_rows(caches: Mapping[str, FeatureCache]) -> dict[str, NDArray[np.intp]]:
    """Return for each cache the rows of the items that are valid in all, in the order of the first."""
    places = {
        name: {item: row for row, item in enumerate(cache.item_id) if cache.valid[row]}
        for name, cache in caches.items()
    }
    first, *others = places.values()
    common = [item for item in first if all(item in other for other in others)]
    if len(common) < 2:
        raise LagerError(f"{len(common)} items are valid in all of {', '.join(caches)}: give caches of the same items")
    return {name: np.array([place[item] for item in common], dtype=np.intp) for name, place in places.items()}


def _share(score: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
    """Return scores as parts of the scale, from 0 to 1: scales are compared so."""
    low, high = float(scale.array.min()), float(scale.array.max())
    return np.asarray((score - low) / (high - low))


def _with_people(
    human: NDArray[np.float64], score: NDArray[np.float64], labels: dict[str, Any], *, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Return the agreement with human scores, nothing where there are none."""
    if not np.isfinite(human).any():
        return {}
    found = evaluate_scores(human, {"": score}, **labels, metrics=_WITH_PEOPLE, resamples=resamples, seed=seed)
    return {metric: found[""].metrics[metric] for metric in _WITH_PEOPLE}


def _between(
    strategy: str, one: str, other: str, scores: Mapping[str, NDArray[np.float64]], labels: dict[str, Any]
) -> dict[str, Any]:
    """Return the agreement of one strategy's scores under two prompts."""
    found = evaluate_scores(scores[one], {"": scores[other]}, **labels, metrics=_WITH_EACH_OTHER, resamples=0)
    figures = {metric: found[""].metrics[metric].estimate for metric in _WITH_EACH_OTHER}
    return {"strategy": strategy, "prompts": [one, other], **figures}


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of what is known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _what_differs(caches: Mapping[str, FeatureCache]) -> list[str]:
    """Say in what each cache was read otherwise than the first."""
    (first, start), *others = caches.items()
    return [
        f"{name} and {first} differ in {', '.join(parts)}" if (parts := reading_differences(cache, start))
        else f"{name} and {first} were read in the same way"
        for name, cache in others
    ]  # fmt: skip


def _check_items(caches: Mapping[str, FeatureCache], rows: Mapping[str, NDArray[np.intp]]) -> list[str]:
    """Refuse other items under the same ids; say where row numbers are all that is known of the items."""
    (first, start), *others = caches.items()
    notes = []
    for name, cache in others:
        known = check_same_items((first, start, rows[first]), (name, cache, rows[name]))
        if not known and all(str(start.item_id[row]).isdigit() for row in rows[first]):
            notes.append(f"{name} and {first}: ids are row numbers, and nothing else says that the items are the same")
    return notes
