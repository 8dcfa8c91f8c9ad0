"""The terminal table can be read at 80 columns and says what its figures leave out."""

import io

import numpy as np
import polars as pl
import pytest
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.evaluation.evaluation import Evaluation
from lager.evaluate.evaluation.scoring import StrategyScores
from lager.evaluate.metrics.metrics import METRICS
from lager.evaluate.report.marks import best_strategies
from lager.evaluate.report.result_table import result_table
from lager.evaluate.tables.terminal import print_table
from rich.console import Console
from support.caches import make_cache


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    """Trained on other items, and on the evaluated ones."""
    folder = tmp_path_factory.mktemp("table")
    test, train = make_cache(folder / "a", 60, seed=1), make_cache(folder / "b", 30, seed=2)
    return {
        "by folds": evaluate_cache(test, folds=3, resamples=50),
        "in-sample": evaluate_cache(test, train=train, resamples=50),
    }


def printed(evaluation, width):
    console = Console(file=io.StringIO(), width=width)
    print_table(result_table(evaluation), console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("kind", ["by folds", "in-sample"])
def test_no_width_cuts_a_figure_or_a_name(evaluations, width, kind):
    text = printed(evaluations[kind], width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for strategy in evaluations[kind].agreement.strategies:
        assert f" {strategy.strategy} " in text
        if (estimate := strategy.metrics["spearman"].estimate) is not None:
            assert f"{estimate:.3f}" in text


def test_counts_are_columns_where_there_is_room_and_in_the_headline_always(evaluations):
    for width in (80, 120):
        text = printed(evaluations["by folds"], width)
        assert "60 of 60 labelled items scored (100.0%), 2 groups, 6 clusters" in text
        assert (" cover" in text) == (width == 120)


def test_the_best_is_marked_once_without_a_claim_and_never_in_sample(evaluations):
    evaluation = evaluations["in-sample"]
    seen = {one.name for one in evaluation.scored if one.in_sample}
    assert "lager-tuned" in seen
    for metric, names in best_strategies(evaluation).items():
        assert names, metric
        assert not names & seen
    text = " ".join(printed(evaluation, 100).split())
    assert "whether it differs from the next one is another question" in text
    assert "of those that are not in-sample" in text


def test_lower_is_better_for_errors(evaluations):
    evaluation = evaluations["by folds"]
    (name,) = best_strategies(evaluation)["mae"]
    errors = [one.metrics["mae"].estimate for one in evaluation.agreement.strategies]
    assert evaluation.agreement[name].metrics["mae"].estimate == min(e for e in errors if e is not None)


def test_undefined_figures_and_the_out_of_fold_baseline_are_explained(evaluations):
    text = printed(evaluations["in-sample"], 160)
    assert "Spearman, Pearson, Kendall of group-mean: none, constant scores in all 2 groups" in text
    assert "MAE of length: none, not on the human score scale" in text
    text = printed(evaluations["by folds"], 160)
    assert "Spearman, Pearson, Kendall of group-mean: none, constant scores in all 2 groups" in text


def test_what_differs_from_the_baseline_is_marked_with_its_level(tmp_path):
    cache = make_cache(tmp_path / "a", 60, seed=1)
    evaluation = evaluate_cache(cache, baseline="length", resamples=400, interval="percentile")
    text = printed(evaluation, 160)
    (line,) = (line for line in text.splitlines() if line.startswith(" lager "))
    assert "*+" in line or "+ [" in line
    said = " ".join(text.split())
    assert "+ above, - below length with p < 0.05 (mean over groups; paired bootstrap over clusters, Holm's" in said
    assert "another question" not in said
    said = " ".join(printed(evaluate_cache(cache, ["lager", "length"], baseline="length"), 160).split())
    assert "[low, high]: 95 % jackknife t over clusters" in said
    assert "paired jackknife t over clusters" in said


def test_too_few_resamples_for_the_correction_are_said(tmp_path):
    cache = make_cache(tmp_path / "a", 60, seed=1)
    evaluation = evaluate_cache(cache, baseline="length", resamples=100, interval="bca")
    assert any("no difference can be significant" in note and "--resamples" in note for note in evaluation.notes)


def test_a_mean_over_fewer_groups_gets_no_mark_and_no_difference_over_other_groups():
    """A judge that is right in one group and constant in the other three is not the best one."""
    rng = np.random.default_rng(0)
    group = np.repeat(list("abcd"), 20)
    human = rng.integers(1, 6, size=80).astype(float)
    judges = {"all": human + rng.normal(size=80), "one": np.where(group == "a", human, 3.0)}
    agreement = evaluate_scores(human, judges, group=group, metrics=["spearman", "mae"], baseline="all")
    scored = tuple(StrategyScores(name, values, "external", 0, True) for name, values in judges.items())
    items = pl.DataFrame({"scores": [[one] for one in human], "group": group})
    evaluation = Evaluation(agreement, scored, items, None, {}, shown=("spearman", "mae"))
    assert agreement["one"].metrics["spearman"].estimate == pytest.approx(1)
    assert best_strategies(evaluation)["spearman"] == {"all"}
    one = agreement.comparison.differences["one"]["spearman"]
    in_group = agreement["all"].groups[0].metrics["spearman"].estimate
    assert one.difference == pytest.approx(1 - in_group)
    assert (one.groups, one.undefined_groups) == (1, 3)
    said = " ".join(printed(evaluation, 160).split())
    assert "no mark for Spearman of one: a mean over fewer groups than others have" in said
    assert "one against all: Spearman over the 1 of 4 groups in which both have one" in said


def test_all_metrics_fit_in_tables_below_each_other_and_humans_have_a_line(tmp_path):
    cache = make_cache(tmp_path / "a", 60, seed=1)
    evaluation = evaluate_cache(cache, shown=tuple(METRICS), resamples=50)
    text = printed(evaluation, 100)
    for metric in METRICS.values():
        assert metric.title in text
    assert max(map(len, text.splitlines())) <= 100
    assert sum(line.startswith(" human ") for line in text.splitlines()) == 5
    assert "against the mean of the others" in text
    assert best_strategies(evaluation)["range_used"] == set()
