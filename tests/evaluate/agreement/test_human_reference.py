"""What annotators reach among themselves, and how near a judge comes."""

import json
import math

import krippendorff
import numpy as np
import pytest
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.raters import Raters, ceiling, fixed_raters, raters_alpha
from scipy import stats

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


@pytest.fixture
def rated():
    """Two to four raters an item, and a judge."""
    rng = np.random.default_rng(0)
    quality = rng.uniform(1, 5, size=90)
    scores = [np.clip(np.round(q + rng.normal(size=rng.integers(2, 5))), 1, 5).tolist() for q in quality]
    return scores, np.array([np.mean(one) for one in scores]), quality + 0.5 * rng.normal(size=90)


def test_ceiling_is_the_root_of_shrout_and_fleiss_icc_of_the_mean():
    """Their example has ICC(1, 4) = .44."""
    assert ceiling(Raters.from_lists(SHROUT_FLEISS)) == pytest.approx(math.sqrt(0.4428), abs=1e-4)


def test_ceiling_of_fixed_raters_is_the_root_of_their_consistency():
    """The same example has ICC(3, 4) = .91."""
    assert ceiling(Raters.from_lists(SHROUT_FLEISS), fixed=True) == pytest.approx(math.sqrt(0.9093), abs=1e-4)


@pytest.mark.parametrize("level_sd", [0.0, 0.5, 1.0])
def test_a_judge_without_error_does_not_exceed_the_ceiling_of_fixed_raters(level_sd):
    """Raters who differ in level by more than they err; ICC(1) would say .83 and .69 where the judge has .89."""
    excess, one_way = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=200)
        scores = truth[:, None] + level_sd * np.array([-1.0, 0.0, 1.0]) + 0.9 * rng.normal(size=(200, 3))
        raters = Raters.from_lists(scores.tolist())
        assert fixed_raters(raters)
        reached = np.corrcoef(truth, scores.mean(axis=1))[0, 1]
        excess.append(reached - ceiling(raters, fixed=True))
        one_way.append(reached - ceiling(raters))
    error = np.std(excess) / math.sqrt(len(excess))
    assert abs(np.mean(excess)) < 3 * error + 0.001
    assert (np.mean(one_way) > 0.02) == (level_sd > 0)


def test_raters_are_fixed_where_lists_are_complete_and_keep_their_places():
    assert fixed_raters(Raters.from_lists([[1, 2], [3, 1], [2, 2]]))
    assert not fixed_raters(Raters.from_lists([[1, 2], [3, 1], [2]]))
    assert not fixed_raters(Raters.from_lists([[1, 2], [1, 3], [2, 2]]))
    assert not fixed_raters(Raters.from_lists([[1], [3], [2]]))
    found = evaluate_scores([1.5, 2, 2], {"j": [1, 2, 3]}, annotators=[[1, 2], [3, 1], [2, 2]], resamples=0)
    assert found.human_reference.as_json()["fixed_raters"] is True


def test_ceiling_with_unequal_counts_finds_the_reliability_that_made_the_data():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=20000)
    scores = [
        (t + 1.5 * rng.normal(size=m)).tolist() for t, m in zip(truth, rng.integers(1, 6, size=20000), strict=True)
    ]
    means = [np.mean(one) for one in scores]
    assert ceiling(Raters.from_lists(scores)) == pytest.approx(np.corrcoef(truth, means)[0, 1], abs=0.01)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([[3], [4], [5]], "no item with 2 annotators"),
        ([[3, 3], [3, 3]], "constant human scores"),
        ([[1, 5], [5, 1], [3, 3]], "annotators agree no better than by chance"),
        ([[1, 2]], "fewer than 2 items"),
    ],
)
def test_a_ceiling_that_does_not_exist_has_a_reason(scores, reason):
    assert reason in ceiling(Raters.from_lists(scores))


def test_alpha_of_raters_is_that_of_the_krippendorff_package_with_missing_scores(rated):
    scores = [*rated[0], [4.0], []]
    table = np.full((4, len(scores)), np.nan)
    for item, one in enumerate(scores):
        table[: len(one), item] = one
    expected = krippendorff.alpha(reliability_data=table, level_of_measurement="interval")
    assert raters_alpha(Raters.from_lists(scores)) == pytest.approx(expected, abs=1e-12)
    assert raters_alpha(Raters.from_lists([[2, 2], [2, 2]])) == "constant human scores"


def test_human_is_each_rater_against_the_mean_of_the_others_and_the_judge_against_the_same(rated):
    scores, means, judge = rated
    found = evaluate_scores(means, {"j": judge}, annotators=scores, metrics=["spearman"], resamples=30)
    own, against = [], []
    places = int(np.median([len(one) for one in scores]))
    assert places == 3
    for place in range(places):
        items = [i for i, one in enumerate(scores) if len(one) > place]
        others = [(sum(scores[i]) - scores[i][place]) / (len(scores[i]) - 1) for i in items]
        own.append(stats.spearmanr([scores[i][place] for i in items], others).statistic)
        against.append(stats.spearmanr(judge[items], others).statistic)
    human = found.human_reference.human["spearman"]
    assert human.estimate == pytest.approx(np.mean(own), abs=1e-12)
    assert human.low < human.estimate < human.high
    share = found.human_reference.shares["j"]["spearman"]
    assert share.against_others == pytest.approx(np.mean(against), abs=1e-12)
    assert share.of_human == pytest.approx(np.mean(against) / np.mean(own), abs=1e-12)
    top = found.human_reference.ceiling.estimate
    assert share.of_ceiling == pytest.approx(found["j"].metrics["spearman"].estimate / top, abs=1e-12)


def test_in_groups_the_reference_is_the_mean_over_groups(rated):
    scores, means, judge = rated
    group = np.arange(90) % 2
    found = evaluate_scores(means, {"j": judge}, annotators=scores, group=group, resamples=0).human_reference
    expected = [ceiling(Raters.from_lists([s for i, s in enumerate(scores) if i % 2 == g])) for g in range(2)]
    assert found.ceiling.estimate == pytest.approx(np.mean(expected))
    assert (found.ceiling.groups, found.ceiling.undefined_groups) == (2, 0)


def test_errors_have_no_share_and_scores_off_the_scale_none_at_all(rated):
    scores, means, judge = rated
    found = evaluate_scores(means, {"j": judge}, annotators=scores, off_scale=["j"], resamples=0).human_reference
    assert found.shares["j"]["mae"].reason == "not on the human score scale"
    assert found.shares["j"]["minmax_mse"].of_human is None
    assert "no share" in found.shares["j"]["minmax_mse"].reason
    json.dumps(found.as_json(), allow_nan=False)


def test_a_judge_with_gaps_is_held_to_the_raters_of_its_own_items(rated):
    scores, means, judge = rated
    gap = judge.copy()
    gap[:40] = np.nan
    found = evaluate_scores(means, {"all": judge, "gap": gap}, annotators=scores, metrics=["pearson"], resamples=0)
    alone = evaluate_scores(means[40:], {"gap": judge[40:]}, annotators=scores[40:], metrics=["pearson"], resamples=0)
    shares = (one.human_reference.shares["gap"]["pearson"] for one in (found, alone))
    first, second = shares
    assert first.of_human == pytest.approx(second.of_human, abs=1e-12)
    assert list(found.human_reference.shares) == ["all", "gap"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "only one score for each item is kept"),
        ({"level": "system", "system": ["a", "b", "c"] * 2}, "between items, not between systems"),
    ],
)
def test_where_only_means_exist_the_reference_is_null_with_a_reason(options, reason):
    human = [1.0, 2, 3, 4, 3, 1]
    annotators = [[one, one + 1] if options else [one] for one in human]
    found = evaluate_scores(human, {"j": human}, annotators=annotators, resamples=0, **options).human_reference
    content = found.as_json()
    assert reason in content["reason"]
    assert content["human"] is None
    assert content["ceiling"]["estimate"] is None
    assert content["krippendorff_alpha"]["estimate"] is None


def test_items_without_a_mean_are_no_raters_items(rated):
    scores, means, judge = rated
    with_gap = means.copy()
    with_gap[3] = np.nan
    kept = [s for i, s in enumerate(scores) if i != 3]
    found = evaluate_scores(with_gap, {"j": judge}, annotators=scores, resamples=0).human_reference
    assert found.alpha.estimate == pytest.approx(raters_alpha(Raters.from_lists(kept)))


def test_raters_with_names_are_compared_whatever_their_places_are():
    """Chloe has the third place in some lists and the second in others."""
    rng = np.random.default_rng(3)
    table = np.clip(np.round(rng.uniform(1, 5, (80, 1)) + rng.normal(scale=[0.1, 2.0, 0.1], size=(80, 3))), 1, 5)
    there = np.ones((80, 3), dtype=bool)
    there[::2, 1] = False
    scores = [row[kept].tolist() for row, kept in zip(table, there, strict=True)]
    names = [np.array(["anna", "ben", "chloe"])[kept].tolist() for kept in there]
    found = list(Raters.from_lists(scores, names).against_the_others())
    assert len(found) == 3
    for rater, (own, others) in enumerate(found):
        np.testing.assert_array_equal(own, np.where(there[:, rater], table[:, rater], np.nan))
        rest = np.where(there, table, np.nan)
        rest[:, rater] = np.nan
        expected = np.where(there[:, rater], np.nanmean(rest, axis=1), np.nan)
        np.testing.assert_allclose(others, expected)
    human = [np.mean(one) for one in scores]
    named = evaluate_scores(human, {"j": human}, annotators=scores, raters=names, resamples=0).human_reference
    placed = evaluate_scores(human, {"j": human}, annotators=scores, resamples=0).human_reference
    assert named.human["spearman"].estimate != placed.human["spearman"].estimate


def test_raters_with_names_are_fixed_where_all_of_them_scored_every_item():
    lists = [[1, 2], [1, 3], [2, 2]]
    assert fixed_raters(Raters.from_lists(lists, [["a", "b"]] * 3))
    assert not fixed_raters(Raters.from_lists(lists, [["a", "b"], ["a", "c"], ["a", "b"]]))
    assert Raters.from_lists(lists, [["a", "b"], None, ["a", "b"]]).who is None


def test_a_rater_of_few_items_is_no_figure_beside_the_others():
    names = [["a", "b"]] * 9 + [["a", "b", "c"]]
    raters = Raters.from_lists([[1, 2]] * 9 + [[1, 2, 3]], names)
    assert len(list(raters.against_the_others())) == 2
