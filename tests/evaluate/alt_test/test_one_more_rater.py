"""A judge beside one more rater: the figures of the definition, intervals that hold, verdicts that follow them."""

from itertools import pairwise

import numpy as np
import pytest
from lager import LagerError, agreement_by_uncertainty, evaluate_scores, one_more_rater
from lager.evaluate.agreement.fold_scores import FoldScores
from lager.evaluate.agreement.result import Estimate
from lager.evaluate.alt_test.one_more_rater import METRICS_HERE, verdict
from scipy import stats

FIGURES = {
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "kendall": lambda x, y: stats.kendalltau(x, y).statistic,
    "mae": lambda x, y: np.mean(np.abs(x - y)),
    "rmse": lambda x, y: np.sqrt(np.mean((x - y) ** 2)),
}


def made_up(seed=0, *, n=120, noise=0.8, missing=0.2):
    """A judge and four raters of texts in clusters of three, by two criteria."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.normal(3, 1, size=n // 3), 3) + rng.normal(0, 0.5, size=n)
    raters = truth[:, None] + rng.normal(0, noise, size=(n, 4))
    raters[rng.random(raters.shape) < missing] = np.nan
    judge = truth + rng.normal(0, noise, size=n)
    return judge, raters, np.array(["x", "y"])[np.arange(n) % 2], np.arange(n) // 3


@pytest.mark.parametrize("metric", METRICS_HERE)
def test_figures_are_means_over_the_raters_taken_out(metric):
    judge, raters, _, cluster = made_up()
    of_judge, of_rater = [], []
    for rater in range(4):
        others = np.delete(raters, rater, axis=1)
        rows = ~np.isnan(raters[:, rater]) & (~np.isnan(others)).any(axis=1)
        target = np.nanmean(others[rows], axis=1)
        of_judge.append(FIGURES[metric](judge[rows], target))
        of_rater.append(FIGURES[metric](raters[rows, rater], target))
    found = one_more_rater(judge, raters, metric=metric, cluster=cluster)
    assert found.judge.estimate == pytest.approx(np.mean(of_judge))
    assert found.rater.estimate == pytest.approx(np.mean(of_rater))
    assert found.difference.estimate == pytest.approx(np.mean(of_judge) - np.mean(of_rater))
    assert found.difference.low < found.difference.estimate < found.difference.high


def test_figures_are_means_over_groups_where_groups_are_given():
    judge, raters, group, cluster = made_up()
    found = one_more_rater(judge, raters, group=group, cluster=cluster)
    alone = [one_more_rater(judge[rows], raters[rows]) for rows in (group == "x", group == "y")]
    assert found.judge.estimate == pytest.approx(np.mean([one.judge.estimate for one in alone]))
    assert found.level == "group"
    assert one_more_rater(judge, raters, group=group, level="pooled").level == "pooled"


def test_the_difference_between_a_judge_and_raters_like_it_is_covered():
    """A judge who errs as the raters do: the interval of the difference holds 0 in about 95 % of the draws."""
    held = 0
    for seed in range(60):
        judge, raters, _, cluster = made_up(seed, missing=0)
        found = one_more_rater(judge, raters, cluster=cluster).difference
        held += found.low <= 0 <= found.high
    assert 52 <= held <= 60


def test_a_judge_that_is_surely_as_good_passes_and_one_that_is_surely_worse_fails():
    judge, raters, _, cluster = made_up(noise=0.5)
    good = np.nanmean(raters, axis=1)
    assert one_more_rater(good, raters, cluster=cluster, margin=0.05).verdict == "PASS"
    assert one_more_rater(good, raters, cluster=cluster, margin=0.05, metric="mae").verdict == "PASS"
    noise = np.random.default_rng(1).normal(3, 3, size=len(judge))
    assert one_more_rater(noise, raters, cluster=cluster, margin=0.05).verdict == "FAIL"
    assert one_more_rater(noise, raters, cluster=cluster, margin=0.05, metric="mae").verdict == "FAIL"
    assert one_more_rater(judge, raters, cluster=cluster, margin=0.01).verdict == "INCONCLUSIVE"
    assert one_more_rater(judge, raters, cluster=cluster, margin=0.01, resamples=0).verdict == "INCONCLUSIVE"
    assert one_more_rater(np.full(len(judge), 3.0), raters, margin=0.5).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("low", "high", "spearman", "mae"),
    [(-0.04, 0.2, "PASS", "INCONCLUSIVE"), (-0.2, -0.06, "FAIL", "PASS"), (-0.2, 0.04, "INCONCLUSIVE", "PASS"),
     (0.06, 0.2, "PASS", "FAIL")],
)  # fmt: skip
def test_verdicts_are_of_the_whole_interval_and_of_what_is_better(low, high, spearman, mae):
    difference = Estimate((low + high) / 2, low, high, None)
    assert (verdict("spearman", difference, 0.05), verdict("mae", difference, 0.05)) == (spearman, mae)


def test_scores_of_folds_are_brought_on_one_footing():
    judge, raters, _, cluster = made_up(missing=0)
    fold = cluster % 2
    by_model = np.array([judge, judge + 10])
    shifted = np.where(fold == 0, by_model[0], by_model[1])
    plain = one_more_rater(judge, raters, cluster=cluster)
    folded = one_more_rater(shifted, raters, cluster=cluster, folded=FoldScores(by_model, fold))
    assert folded.judge.estimate == pytest.approx(plain.judge.estimate, abs=0.02)
    assert one_more_rater(shifted, raters, cluster=cluster).judge.estimate < plain.judge.estimate - 0.1


def test_items_are_split_by_the_spread_of_their_own_raters():
    judge, raters, _, cluster = made_up(missing=0)
    found = agreement_by_uncertainty(judge, raters, cluster=cluster)
    assert [one.n for one in found] == [40, 40, 40]
    spread = np.std(raters, axis=1, ddof=1)
    here = spread <= np.sort(spread)[39]
    expected = one_more_rater(judge[here], raters[here], cluster=cluster[here])
    assert found[0].figures.difference.estimate == pytest.approx(expected.difference.estimate)
    assert found[0].figures.difference.low == pytest.approx(expected.difference.low)
    assert all(first.most < second.least for first, second in pairwise(found))


def test_items_of_equal_spread_are_never_parted_and_unanimous_ones_reach_one():
    rng = np.random.default_rng(0)
    raters = np.repeat(rng.integers(1, 6, size=(90, 1)), 3, axis=1).astype(float)
    raters[::3, 0] = np.clip(raters[::3, 0] + 1, 1, 5)
    found = agreement_by_uncertainty(raters[:, 1], raters)
    assert found[0].most == 0
    assert sum(one.n for one in found) == 90
    assert found[0].figures.rater.estimate == pytest.approx(1)
    assert len({one.least for one in found}) == len(found)
    same = agreement_by_uncertainty(raters[:, 1], np.repeat(raters[:, 1:2], 3, axis=1))
    assert [one.n for one in same] == [90]


def test_a_rater_without_items_in_a_stratum_is_no_error():
    judge, raters, _, _ = made_up(n=300, missing=0)
    spread = np.argsort(np.std(raters[:, :3], axis=1))
    raters[spread[:150], 3] = np.nan
    found = agreement_by_uncertainty(judge, raters)
    assert all(one.figures.difference.estimate is not None for one in found)


def test_the_rater_is_the_one_of_the_human_reference():
    judge, raters, group, cluster = made_up(missing=0)
    reference = evaluate_scores(
        raters.mean(axis=1), {"j": judge}, group=group, cluster=cluster, annotators=raters.tolist()
    ).human_reference
    found = one_more_rater(judge, raters, group=group, cluster=cluster)
    assert found.rater.estimate == pytest.approx(reference.human["spearman"].estimate)
    assert found.rater.low == pytest.approx(reference.human["spearman"].low)
    assert found.judge.estimate == pytest.approx(reference.shares["j"]["spearman"].against_others)


def test_what_cannot_be_compared_is_said():
    judge, raters, _, _ = made_up()
    for margin in (0, -0.1, np.nan):
        with pytest.raises(LagerError, match="margin"):
            one_more_rater(judge, raters, margin=margin)
    with pytest.raises(LagerError, match="choose from spearman"):
        one_more_rater(judge, raters, metric="qwk")
    with pytest.raises(LagerError, match="level system"):
        one_more_rater(judge, raters, level="system")
    with pytest.raises(LagerError, match="needs 3 such raters"):
        one_more_rater(judge, raters[:, :2])
