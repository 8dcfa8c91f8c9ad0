"""The command `lager triage`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...data.errors import LagerError
from ...data.files.writing import refuse_existing
from ..options import DEFAULT_STRATEGIES, AggregatorFiles, FiguresAsJson, Force
from ..output import show, tell

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from .judge_triage import JudgeTriage
    from .wanted import Wanted

INCONCLUSIVE = 4


def triage(
    cache: Annotated[
        Path | None, typer.Argument(help="Feature cache with human scores; none for files of scores alone.")
    ] = None,
    *,
    aggregator: AggregatorFiles = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Where the aggregator goes with its threshold (JSON); must not exist.")
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", help="Strategy of CACHE; may be given again. (default: e-score, lager)"),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Fit what needs fitting N times, and score each fold by the others.")
    ] = None,
    scores: Annotated[Path | None, typer.Option(help="Human scores from a file (id, score), joined by id.")] = None,
    external: Annotated[
        list[str] | None,
        typer.Option("--external", metavar="FILE:COLUMN", help="Another judge's scores; may be given again."),
    ] = None,
    doubt: Annotated[
        str | None,
        typer.Option(
            metavar="FILE:COLUMN", help="Doubt, for every judge. (default: deviation, or spread over the judges)"
        ),
    ] = None,
    error: Annotated[
        float | None, typer.Option(help="Errors from here on are large. (default: 1; of two labels, the wrong one)")
    ] = None,
    risk: Annotated[float, typer.Option(help="Share of large errors that is allowed among items decided alone.")] = 0.1,
    confidence: Annotated[float, typer.Option(help="How sure that has to be.")] = 0.9,
    one_item_a_cluster: Annotated[
        bool, typer.Option("--one-item-a-cluster", help="Let every cluster count as one item: another share.")
    ] = False,
    largest_cluster: Annotated[
        int | None,
        typer.Option(help="Most items that a cluster counts as, new ones too. (default: those of the largest here)"),
    ] = None,
    bound: Annotated[
        str | None, typer.Option(help="betting, hoeffding, or, without clusters, hoeffding-bentkus")
    ] = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Learn an aggregator's doubt on half of the clusters; kept if it helps.")
    ] = False,
    leave_out_training: Annotated[
        bool, typer.Option("--leave-out-training", help="Leave out the clusters of the aggregator's training items.")
    ] = False,
    scale: Annotated[str | None, typer.Option(help="Score scale, without CACHE only: 1-5, A=4,B=3, ...")] = None,
    seed: Annotated[int, typer.Option(help="Seed of draws, folds and fits.")] = 42,
    force: Force = False,
    as_json: FiguresAsJson = False,
) -> None:
    """Say which items a judge may decide alone, large errors being as rare among them as is asked.

    Ends with 4 where no judge has such a threshold. --save keeps it in the aggregator; lager score then writes who
    decides.

    Example: lager triage cache/held-out --aggregator agg.json --save decides.json --risk 0.1
    """
    from .table import triage_table
    from .wanted import Wanted

    unit: Any = "cluster" if one_item_a_cluster else "item"
    wanted = Wanted(error, risk, confidence, unit, bound, largest_cluster, seed)  # type: ignore[arg-type]
    files = aggregator or []
    _check(cache, files, save, scale, learn=learn, doubt=doubt, others=[*(strategy or []), *(external or [])])
    found: list[JudgeTriage] = []
    without: dict[str, str] = {}
    if files and cache is not None:
        options = {"learn": learn, "leave_out_training": leave_out_training, "force": force}
        found += _aggregators(cache, scores, files, wanted, save, **options)
    if not files or strategy or external:
        evaluation = _evaluate(cache, scores, strategy or [], external or [], folds=folds, scale=scale, seed=seed)
        more, without = _judges(evaluation, doubt, wanted)
        found += more
    if not found:
        raise LagerError("; ".join(f"{judge}: {reason}" for judge, reason in without.items()))
    content = {"judges": [one.as_json() for one in found], "without": dict(without), "seed": seed}
    show(lambda: content, lambda: triage_table(found, without, wanted), as_json=as_json)
    saved = [save] if save is not None and found[0].result.threshold is not None else []
    tell(notes=dict.fromkeys(note for one in found for note in one.notes), written=saved)
    if all(one.result.threshold is None for one in found):
        raise typer.Exit(INCONCLUSIVE)


def _check(
    cache: Path | None, files: list[Path], save: Path | None, scale: str | None, *, learn: bool, doubt: str | None,
    others: list[str],
) -> None:  # fmt: skip
    """Refuse options that contradict each other, before anything is read."""
    if cache is not None and scale is not None:
        raise LagerError("--scale: a cache has its own scale; leave the option out")
    if files and cache is None:
        raise LagerError("--aggregator needs a CACHE to score: give one, or leave it out")
    if save is not None:
        if len(files) != 1 or others:
            raise LagerError("--save keeps the threshold of one aggregator: give one --aggregator and nothing else")
        refuse_existing(save, what="aggregator file")
    if learn and not files:
        raise LagerError("--learn learns the doubt of an aggregator: give --aggregator FILE, or leave it out")
    if doubt is not None and files:
        raise LagerError("--doubt is for judges of files and strategies; an aggregator's doubt is its own")


def _aggregators(
    cache: Path, scores: Path | None, files: list[Path], wanted: Wanted, save: Path | None, **options: bool
) -> list[JudgeTriage]:
    """Return what each aggregator may decide alone, and keep the threshold where that was asked for."""
    from ...data.cache.feature_cache import FeatureCache
    from ...train.files.aggregator_file import load_aggregator, save_aggregator
    from .cache_triage import triage_aggregator

    opened = FeatureCache.open(cache)
    if scores is not None:
        opened = opened.with_scores(scores)
    found = []
    for path in files:
        one = triage_aggregator(load_aggregator(path), opened, wanted, **options)
        if save is not None and one.found.result.threshold is not None:
            save_aggregator(save, one.record)
        found.append(one.found)
    return found


def _evaluate(
    cache: Path | None,
    scores: Path | None,
    strategies: list[str],
    external: list[str],
    *,
    folds: int | None,
    scale: str | None,
    seed: int,
) -> Evaluation:
    """Return strategies of a cache, or judges from files, with what is known of their scores."""
    if cache is None:
        from ...data.scale import Scale
        from ..evaluation.file_evaluation import evaluate_score_files

        if scores is None:
            raise LagerError("there is nothing to decide: give a CACHE, or --scores FILE and --external FILE:COLUMN")
        if strategies or folds is not None:
            raise LagerError("--strategy and --folds need a CACHE to score: give one, or leave them out")
        parsed = None if scale is None else Scale.parse(scale)
        return evaluate_score_files(scores, external, scale=parsed, resamples=0, seed=seed)
    from ...data.cache.feature_cache import FeatureCache
    from ..evaluation.cache_evaluation import evaluate_cache

    opened = FeatureCache.open(cache)
    if scores is not None:
        opened = opened.with_scores(scores)
    names = strategies or DEFAULT_STRATEGIES
    return evaluate_cache(opened, strategies=names, folds=folds, external=external, resamples=0, seed=seed)


def _judges(evaluation: Evaluation, doubt: str | None, wanted: Wanted) -> tuple[list[JudgeTriage], dict[str, str]]:
    """Return what the judges of an evaluation may decide alone, and those of which nothing can be said."""
    from ...data.items.score_files import read_external
    from .evaluation_triage import triage_evaluation

    given = None
    if doubt is not None:
        column = read_external([doubt], evaluation.items, None)[0]
        given = (column.name, column.scores)
    found, without = triage_evaluation(evaluation, wanted, doubt=given)
    return found, {**evaluation.skipped, **without}
