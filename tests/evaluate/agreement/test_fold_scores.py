"""Scores out of fold: compared on one footing, so that nothing to find gives 0 and not a figure below it."""

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.fold_scores import FoldScores
from scipy import stats


@pytest.fixture
def levels():
    """Two models that order items alike, the second one a point lower, and the items that each has not seen."""
    rng = np.random.default_rng(0)
    quality = rng.normal(size=40)
    fold = np.arange(40) % 2
    by_model = np.stack([quality, 0.5 * quality - 1])
    return quality + rng.normal(size=40), FoldScores(by_model, fold)


def scores_of(folded):
    return folded.by_model[folded.fold, np.arange(len(folded.fold))]


def test_levels_and_spreads_of_the_folds_models_do_not_count_for_order(levels):
    human, folded = levels
    found = evaluate_scores(human, {"j": scores_of(folded)}, folded={"j": folded}, resamples=0)["j"].metrics
    model = folded.by_model[0]
    assert found["spearman"].estimate == pytest.approx(stats.spearmanr(model, human).statistic)
    assert found["kendall"].estimate == pytest.approx(stats.kendalltau(model, human).statistic)
    assert found["pearson"].estimate == pytest.approx(stats.pearsonr(model, human).statistic)
    raw = evaluate_scores(human, {"j": scores_of(folded)}, resamples=0)["j"].metrics
    assert found["spearman"].estimate > raw["spearman"].estimate
    assert found["mae"] == raw["mae"]


def test_order_is_within_groups_where_these_are_the_level_and_over_all_where_pooled(levels):
    human, folded = levels
    group = np.arange(40) // 20
    shifted = FoldScores(folded.by_model + 3 * group, folded.fold)
    found = evaluate_scores(human, {"j": scores_of(shifted)}, folded={"j": shifted}, group=group, resamples=0)["j"]
    model = shifted.by_model[0]
    within = [stats.spearmanr(model[group == g], human[group == g]).statistic for g in (0, 1)]
    assert found.metrics["spearman"].estimate == pytest.approx(np.mean(within))
    pooled = folded_ranks_by_hand(shifted)
    assert found.pooled["spearman"].estimate == pytest.approx(stats.spearmanr(pooled, human).statistic)


def folded_ranks_by_hand(folded):
    ranks = np.array([stats.rankdata(model) for model in folded.by_model])
    return ranks[folded.fold, np.arange(len(folded.fold))]


def test_models_that_say_one_thing_are_undefined_whatever_their_levels():
    fold = np.arange(30) % 3
    folded = FoldScores(np.repeat([[2.0], [3.0], [4.0]], 30, axis=1), fold)
    human = np.random.default_rng(0).normal(size=30)
    found = evaluate_scores(human, {"j": scores_of(folded)}, folded={"j": folded}, resamples=0)["j"].metrics
    for name in ("spearman", "pearson", "kendall"):
        assert (found[name].estimate, found[name].reason) == (None, "constant scores")
    assert found["mae"].estimate is not None


def test_random_labels_give_nought_where_a_learnt_level_alone_was_far_below():
    """Every model says the mean of the labels it has seen, and a little noise of its own."""
    raw, footing = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(8), 5)
        human = rng.normal(size=8)[cluster] + rng.normal(size=40)
        fold = cluster % 4
        noise = 0.1 * rng.normal(size=40)
        folded = FoldScores(np.array([human[fold != k].mean() + noise for k in range(4)]), fold)
        for found, given in ((raw, None), (footing, {"j": folded})):
            result = evaluate_scores(human, {"j": scores_of(folded)}, folded=given, metrics=["spearman"], resamples=0)
            found.append(result["j"].metrics["spearman"].estimate)
    assert np.mean(raw) < -0.3
    assert abs(np.mean(footing)) < 3 * np.std(footing) / 20


def test_gaps_groups_and_comparisons_keep_the_folds_rows(levels):
    human, folded = levels
    gap = scores_of(folded).copy()
    gap[:6] = np.nan
    part = FoldScores(folded.by_model[:, 6:], folded.fold[6:])
    other = np.random.default_rng(3).normal(size=40)
    found = evaluate_scores(human, {"j": gap, "k": other}, folded={"j": folded}, baseline="k", resamples=30)
    alone = evaluate_scores(human[6:], {"j": gap[6:], "k": other[6:]}, folded={"j": part}, baseline="k", resamples=30)
    assert found["j"].metrics["spearman"].estimate == alone["j"].metrics["spearman"].estimate
    one, same = (each.comparison.differences["j"]["spearman"].difference for each in (found, alone))
    assert one == pytest.approx(same)


def test_systems_are_compared_on_one_footing_too(levels):
    human, folded = levels
    system = np.arange(40) // 2 % 5
    found = evaluate_scores(
        human, {"j": scores_of(folded)}, folded={"j": folded}, system=system, level="system", resamples=0
    )
    means = [[side[system == s].mean() for s in range(5)] for side in (folded_ranks_by_hand(folded), human)]
    assert found["j"].metrics["spearman"].estimate == pytest.approx(stats.spearmanr(*means).statistic)


@pytest.mark.parametrize(
    ("folded", "message"),
    [
        ({"k": FoldScores(np.ones((2, 3)), np.zeros(3, dtype=int))}, "of 'k' and no scores"),
        ({"j": FoldScores(np.ones((2, 4)), np.zeros(4, dtype=int))}, r"expected \(n_folds, 3\)"),
        ({"j": FoldScores(np.full((2, 3), np.nan), np.zeros(3, dtype=int))}, "every model scores all"),
        ({"j": FoldScores(np.ones((2, 3)), np.full(3, 2))}, "every model scores all"),
    ],
)
def test_scores_by_folds_that_do_not_belong_are_refused(folded, message):
    with pytest.raises(LagerError, match=message):
        evaluate_scores([1, 2, 3], {"j": [1, 2, 3]}, folded=folded)
