"""Levels, undefined values, coverage and bad input of `evaluate_scores`."""

import json

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.evaluate.agreement.agreement import evaluate_scores
from scipy import stats


@pytest.fixture
def criteria():
    """Four criteria whose means differ, and a judge that knows only those means."""
    rng = np.random.default_rng(0)
    group = np.tile(np.array(["coherence", "consistency", "fluency", "relevance"], dtype=object), 50)
    mean = np.tile([2.0, 3.0, 4.0, 5.0], 50)
    return mean + rng.normal(size=200), mean, group


def test_knowing_only_the_group_means_is_undefined_in_groups_and_high_pooled(criteria):
    human, mean, group = criteria
    result = evaluate_scores(human, {"group-mean": mean}, group=group, resamples=20)
    assert result.level == "group"
    estimate = result["group-mean"].metrics["spearman"]
    assert estimate.estimate is None
    assert (estimate.groups, estimate.undefined_groups) == (0, 4)
    assert estimate.reason == "constant scores in all 4 groups"
    assert result["group-mean"].pooled["spearman"].estimate > 0.6


def test_group_level_is_the_mean_of_the_defined_groups_with_their_spread(criteria):
    human, _, group = criteria
    score = human + np.random.default_rng(1).normal(size=200)
    score[group == "fluency"] = 3.0
    estimate = evaluate_scores(human, {"j": score}, group=group, resamples=0)["j"].metrics["kendall"]
    taus = [
        stats.kendalltau(score[group == g], human[group == g]).statistic for g in np.unique(group) if g != "fluency"
    ]
    assert estimate.estimate == pytest.approx(np.mean(taus), abs=1e-12)
    assert estimate.spread == pytest.approx(np.std(taus, ddof=1), abs=1e-12)
    assert (estimate.groups, estimate.undefined_groups) == (3, 1)


def test_every_group_has_its_own_figures(criteria):
    human, _, group = criteria
    score = human + np.random.default_rng(1).normal(size=200)
    groups = evaluate_scores(human, {"j": score}, group=group, resamples=50)["j"].groups
    assert [one.group for one in groups] == sorted(set(group))
    rows = group == "relevance"
    relevance = groups[-1].metrics["pearson"]
    assert groups[-1].n == 50
    assert relevance.estimate == pytest.approx(stats.pearsonr(score[rows], human[rows]).statistic, abs=1e-12)
    assert relevance.low < relevance.estimate < relevance.high


def test_default_level_is_pooled_without_groups_and_can_be_asked_for(criteria):
    human, mean, group = criteria
    assert evaluate_scores(human, {"j": mean}, resamples=0).level == "pooled"
    result = evaluate_scores(human, {"j": mean}, group=group, level="pooled", resamples=0)
    assert result.level == "pooled"
    assert result["j"].metrics == result["j"].pooled
    assert result["j"].groups == ()


def test_system_level_compares_means_of_systems_inside_groups():
    rng = np.random.default_rng(2)
    n = 240
    group, system = np.arange(n) % 2, (np.arange(n) // 2) % 6
    human = system + 3 * rng.normal(size=n)
    score = human + 3 * rng.normal(size=n)
    estimate = evaluate_scores(human, {"j": score}, group=group, system=system, level="system")["j"]
    rhos = []
    for g in range(2):
        means = [[v[(group == g) & (system == s)].mean() for s in range(6)] for v in (score, human)]
        rhos.append(stats.spearmanr(*means).statistic)
    found = estimate.metrics["spearman"]
    assert found.estimate == pytest.approx(np.mean(rhos), abs=1e-12)
    assert [one.n for one in estimate.groups] == [6, 6]


def test_coverage_counts_labelled_items_and_each_judge_has_its_own():
    nan = np.nan
    human = [1, 2, 3, 4, nan]
    result = evaluate_scores(human, {"all": [1, 2, 3, 5, 9], "some": [1, 3, nan, 2, 9]}, resamples=0)
    assert (result.n, result.n_labelled, result.coverage) == (4, 4, 1.0)
    assert (result["some"].n, result["some"].coverage) == (3, 0.75)
    assert result["some"].metrics["spearman"].estimate == pytest.approx(0.5)
    assert [one.strategy for one in result.strategies] == ["all", "some"]


def test_judges_of_equal_rows_and_of_different_rows_get_the_same_draws():
    rng = np.random.default_rng(0)
    human, score = rng.normal(size=50), rng.normal(size=50)
    gap = score.copy()
    gap[0] = np.nan
    both = evaluate_scores(human, {"a": score, "b": gap}, resamples=30, seed=1)
    alone = evaluate_scores(human, {"b": gap}, resamples=30, seed=1)
    assert both["b"] == alone["b"]


def test_scores_off_the_scale_have_no_error_but_a_correlation():
    metrics = evaluate_scores([1, 2, 3], {"length": [90, 120, 400]}, off_scale=["length"], resamples=0)[
        "length"
    ].metrics
    assert metrics["mae"].estimate is None
    assert metrics["mae"].reason == "not on the human score scale"
    assert metrics["spearman"].estimate == pytest.approx(1.0)


def test_one_item_is_undefined_with_the_reason():
    metrics = evaluate_scores([3.0], {"j": [2.5]}, resamples=10)["j"].metrics
    assert metrics["kendall"].estimate is None
    assert metrics["kendall"].reason == "fewer than 2 items"
    assert metrics["mae"].estimate == 0.5


def test_groups_of_one_item_are_undefined_and_counted():
    result = evaluate_scores([1, 2, 3, 4], {"j": [1, 2, 4, 3]}, group=["a", "a", "a", "b"], resamples=0)
    estimate = result["j"].metrics["spearman"]
    assert (estimate.groups, estimate.undefined_groups) == (1, 1)
    assert result["j"].groups[1].metrics["spearman"].reason == "fewer than 2 items"


def test_json_has_null_with_a_reason_and_never_nan():
    result = evaluate_scores([1, 1, 1], {"j": [1, 2, 3]}, group=["a", "a", "b"], resamples=20)
    content = json.loads(json.dumps(result.as_json(), allow_nan=False))
    spearman = content["results"][0]["spearman"]
    assert {"estimate", "low", "high", "reason"} <= set(spearman)
    assert spearman["estimate"] is None
    assert "constant human scores" in spearman["reason"]
    assert content["results"][0]["pooled"]["spearman"]["reason"] == "constant human scores"


def test_progress_ends_at_everything():
    seen = []
    evaluate_scores([1, 2, 3], {"j": [1, 3, 2]}, group=["a", "a", "a"], resamples=10, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], {"j": [1, 2, 3]}), r"scores of j have shape \(3,\), expected \(2,\)"),
        (([np.nan, np.nan], {"j": [1, 2]}), "none of the 2 items has a human score"),
        (([1, 2], {}), "no scores to compare"),
        (([1, 2], {"j": [np.nan, np.nan]}), "j has no score for any of the 2 items"),
        (([1, 2], {"j": [1, np.inf]}), "1 infinite"),
        (([1, 2], {"j": ["a", "b"]}), "must be numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, message):
    with pytest.raises(LagerError, match=message):
        evaluate_scores(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "group"}, "level group needs a group"),
        ({"level": "system"}, "level system needs a system"),
        ({"level": "item"}, "unknown level 'item'"),
        ({"metrics": ["spearmann"]}, "unknown metric 'spearmann': did you mean spearman"),
        ({"threshold": 1.5}, "threshold 1.5: expected a share"),
        ({"interval": "normal"}, "unknown interval 'normal': choose from jackknife, percentile, bca"),
        ({"baseline": "other"}, "the baseline 'other' is not evaluated: choose from j"),
        ({"resamples": -1}, "-1 resamples"),
        ({"cluster": ["a"]}, "expected one label for each of 2 items"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(LagerError, match=message):
        evaluate_scores([1, 2], {"j": [1, 2]}, **options)
