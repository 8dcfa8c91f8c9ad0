"""Every judge of some items beside their raters: all that `lager alt-test` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.items.raters import RaterScores, has_raters
from ..agreement.intervals import NO_RESAMPLES
from ..decisions.judged_items import Judge, JudgedItems
from .alt_test import DEFAULT_Q, AltTest, alt_test
from .judge_notes import judge_notes
from .one_more_rater import OneMoreRater, one_more_rater
from .uncertainty import Stratum, agreement_by_uncertainty

_OFF_SCALE = "its scores are not on the raters' scale"


@dataclass(frozen=True)
class Wanted:
    """What is asked for, as the options of `lager alt-test` say it."""

    epsilon: float
    alignment: str = "neg-rmse"
    q: float = DEFAULT_Q
    margin: float | None = None
    metric: str = "spearman"
    level: str | None = None
    ignore_clusters: bool = False
    places_are_raters: bool = False
    resamples: int = 1000
    seed: int = 42


@dataclass(frozen=True)
class JudgeBesideRaters:
    """What is said of one judge."""

    judge: str
    alt_test: AltTest
    one_more_rater: OneMoreRater
    by_uncertainty: tuple[Stratum, ...]

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "judge": self.judge,
            "alt_test": self.alt_test.as_json(),
            "one_more_rater": self.one_more_rater.as_json(),
            "by_uncertainty": [one.as_json() for one in self.by_uncertainty],
        }


@dataclass(frozen=True)
class JudgesBesideRaters:
    """What is said of all judges.

    Parameters
    ----------
    judges : tuple of JudgeBesideRaters
    raters : tuple of str
        Everybody who scored an item.
    places : bool
        Whether these are places in lists that were taken for raters because it was asked for.
    wanted : Wanted
    without : mapping of str to str
        Judges of whom nothing can be said, and why.
    notes : tuple of str
    """

    judges: tuple[JudgeBesideRaters, ...]
    raters: tuple[str, ...]
    places: bool
    wanted: Wanted
    without: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str | None:
        """The worst of the judges' verdicts at the margin: FAIL, INCONCLUSIVE, PASS; None without a margin."""
        found = {one.one_more_rater.verdict for one in self.judges}
        return next((one for one in ("FAIL", "INCONCLUSIVE", "PASS") if one in found), None)

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "judges": [one.as_json() for one in self.judges],
            "raters": list(self.raters),
            "places_are_raters": self.places,
            "epsilon": self.wanted.epsilon,
            "margin": self.wanted.margin,
            "verdict": self.verdict,
            "without": dict(self.without),
            "notes": list(self.notes),
            "seed": self.wanted.seed,
        }

    def rater_rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each judge and rater."""
        for one in self.judges:
            for test in one.alt_test.raters:
                yield {"judge": one.judge, "epsilon": one.alt_test.epsilon, **test.as_json()}

    def stratum_rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each judge, stratum, and figure in it."""
        for one in self.judges:
            for stratum in one.by_uncertainty:
                content = stratum.as_json()
                about = {name: content[name] for name in ("least", "most", "n", "metric", "level")}
                for figure in ("judge", "rater", "difference"):
                    yield {"judge": one.judge, **about, "figure": figure, **content[figure]}


def beside_raters(items: JudgedItems, wanted: Wanted) -> JudgesBesideRaters:
    """Test every judge of some items beside their raters; one that cannot be tested is told with the reason."""
    raters = known_raters(items, wanted.places_are_raters)
    found: list[JudgeBesideRaters] = []
    without: dict[str, str] = {}
    reasons: dict[str, LagerError] = {}
    for name, judge in items.judges.items():
        if not judge.on_scale:
            without[name] = _OFF_SCALE
            continue
        try:
            found.append(_one(name, judge, items, raters, wanted))
        except LagerError as error:
            reasons[name] = error
    if not found:
        raise next(iter(reasons.values()), LagerError(f"no judge is left: {', '.join(without)}: {_OFF_SCALE}"))
    without |= {name: str(error) for name, error in reasons.items()}
    notes = [*items.notes, *_notes(items, raters, wanted)]
    for one in found:
        notes += judge_notes(one.judge, items.judges[one.judge].scores, raters, items.scale)
        notes += _no_verdict(one, items.judges[one.judge].scores, raters)
    return JudgesBesideRaters(tuple(found), raters.names, not raters.named, wanted, without, tuple(notes))


def known_raters(items: JudgedItems, places_are_raters: bool) -> RaterScores:
    """Return the raters' scores; `LagerError` where these have places and no names, unless that was allowed."""
    raters = items.rater_scores
    if not raters.names:
        raise LagerError("no item has a human score: give some in the items file or with --scores FILE")
    if not (raters.named or places_are_raters):
        raise LagerError(
            "the human scores have places in lists and no raters' names, and nothing says that a place is one person "
            "throughout: give names (--scores FILE with columns id, rater, score, or --raters with a column each); or, "
            "where you know that every place is the same person's, --places-are-raters"
        )
    if not raters.named and not has_raters(items.items):
        lengths = np.unique(np.count_nonzero(~np.isnan(raters.scores), axis=1))
        if len(lengths := lengths[lengths > 0]) > 1:
            raise LagerError(
                f"the lists hold {lengths[0]} to {lengths[-1]} scores: where one is left out those after it are "
                "another person's; give null for a rater without a score, such as [4, null, 5], or the raters' names"
            )
    return raters


def _one(name: str, judge: Judge, items: JudgedItems, raters: RaterScores, wanted: Wanted) -> JudgeBesideRaters:
    scores = judge.scores
    if wanted.alignment == "accuracy":
        scores = _nearest_labels(scores, items, raters)
    tested = alt_test(
        scores,
        raters.scores,
        epsilon=wanted.epsilon,
        alignment=wanted.alignment,
        cluster=None if wanted.ignore_clusters else items.cluster,
        q=wanted.q,
        names=raters.names,
    )
    common: dict[str, Any] = {
        "metric": wanted.metric, "group": items.group, "cluster": items.cluster, "level": wanted.level,
        "names": raters.names, "folded": judge.folded, "resamples": wanted.resamples, "seed": wanted.seed,
    }  # fmt: skip
    beside = one_more_rater(judge.scores, raters.scores, margin=wanted.margin, **common)
    return JudgeBesideRaters(name, tested, beside, agreement_by_uncertainty(judge.scores, raters.scores, **common))


def _nearest_labels(scores: NDArray[np.float64], items: JudgedItems, raters: RaterScores) -> NDArray[np.float64]:
    """Return scores as the nearest label of the scale, or of those that raters gave; the lower one of two as near."""
    given = raters.scores[~np.isnan(raters.scores)] if items.scale is None else items.scale.array
    labels = np.unique(given)
    upper = np.clip(np.searchsorted(labels, scores), 1, max(1, len(labels) - 1))
    below, above = labels[upper - 1], labels[np.minimum(upper, len(labels) - 1)]
    return np.where(np.isnan(scores), np.nan, np.where(scores - below <= above - scores, below, above))


def _no_verdict(one: JudgeBesideRaters, scores: NDArray[np.float64], raters: RaterScores) -> Iterator[str]:
    """Yield why a judge has no verdict although there is a margin."""
    beside = one.one_more_rater
    if beside.verdict is None or beside.difference.low is not None:
        return
    constant = [name for name, column in zip(raters.names, raters.scores.T, strict=True) if _constant(column)]
    why = "its scores are constant" if _constant(scores) else ""
    if not why and constant:
        why = f"the scores of {', '.join(constant[:5])} are constant"
    yield f"{one.judge}: no verdict at the margin, {why or beside.difference.reason or NO_RESAMPLES}"


def _constant(scores: NDArray[np.float64]) -> bool:
    return len(np.unique(scores[~np.isnan(scores)])) < 2


def _notes(items: JudgedItems, raters: RaterScores, wanted: Wanted) -> Iterator[str]:
    """Yield what a reader should know of the raters and of the items."""
    if not raters.named:
        yield "places in the lists of scores were taken for raters, as you asked: nothing here can check that"
    if raters.unknown:
        yield f"{raters.unknown} items have scores without raters' names, and are left out"
    if wanted.alignment == "accuracy":
        yield "accuracy: judges' scores are taken as the nearest label"
    if items.cluster is not None and wanted.ignore_clusters:
        yield "the t test takes items for independent although they come in clusters: its p-values may be far too small"
    if items.cluster is None:
        yield "no clusters are declared: items are taken for independent"
