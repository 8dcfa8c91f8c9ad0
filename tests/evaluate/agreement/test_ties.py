"""Rounding decides nothing: what is equal but for it ties, is constant, or meets a threshold."""

import numpy as np
import pytest
from lager.data.scale import Scale
from lager.evaluate.agreement.agreement import evaluate_scores

SCALE = Scale.parse("1-5")
#: Expected scores of three prompts, each read three times in one batch.
READ_THRICE = [
    3.895701034715936, 3.8957010794529414, 3.8957010794529414, 3.862232904129782, 3.862232904129782,
    3.862232817193375, 2.7935075781667154, 2.7935075781667154, 2.7935075781667154,
]  # fmt: skip


def figures(human, score, **options):
    result = evaluate_scores(human, {"j": score}, scale=SCALE, resamples=0, **options)
    return {name: one.estimate for name, one in result["j"].metrics.items()}


def test_equal_prompts_tie_whatever_their_place_in_the_batch():
    found = figures([5, 1, 3] * 3, READ_THRICE)
    assert found["spearman"] == found["kendall"] == 0.0
    assert found["auroc"] == 0.5
    clustered = figures([5, 1, 3] * 3, READ_THRICE, cluster=np.repeat(list("abc"), 3))
    assert clustered["pairwise_accuracy"] == 0.5


def test_scores_that_are_constant_but_for_rounding_have_no_correlation():
    found = evaluate_scores([5, 1, 3], {"j": READ_THRICE[:3]}, resamples=0)["j"].metrics
    for name in ("spearman", "pearson", "kendall", "minmax_mse"):
        assert (found[name].estimate, found[name].reason) == (None, "constant scores")
    human = [np.mean(one) for one in ([1.1, 2.2, 3.3], [3.3, 2.2, 1.1], [2.2, 3.3, 1.1], [1.1, 3.3, 2.2])]
    found = evaluate_scores(human, {"j": [4, 1, 2, 3]}, resamples=0)["j"].metrics
    assert found["spearman"].reason == found["kendall"].reason == "constant human scores"
    found = evaluate_scores([2.2] * 4, {"j": human}, resamples=0)["j"].metrics
    assert found["krippendorff_alpha"].reason == "all scores and human scores are the same"


def test_a_constant_judge_has_no_correlation_between_systems():
    rng = np.random.default_rng(0)
    system = np.arange(300) % 7
    human = system + rng.normal(size=300)
    constant = np.full(300, 3.3)
    found = evaluate_scores(human, {"j": constant}, system=system, level="system", resamples=0)["j"].metrics
    assert found["spearman"].estimate is None
    assert found["spearman"].reason == "constant scores"


def test_a_threshold_is_met_by_a_score_that_misses_it_by_rounding():
    below = 4 - 4.5e-16
    assert below < 4
    found = figures([below, 1.0, 5.0, 2.0], [4 - 1e-8, 1.0, 5.0, 2.0])
    assert found["f1"] == found["precision"] == found["recall"] == 1.0
    assert figures([below, 1.0], [3.0, 2.0])["auroc"] == 1.0
    judged_on_its_range = evaluate_scores(
        [4.0, 1.0], {"j": [2.5 - 1e-8, 1.0]}, scale=SCALE, ranges={"j": (1.0, 3.0)}, resamples=0
    )
    assert judged_on_its_range["j"].metrics["recall"].estimate == 1.0


def test_halfway_between_two_labels_but_for_rounding_is_the_lower_one():
    assert figures([2.5 + 4e-16, 2.5 - 4e-16], [2.0, 2.0])["accuracy"] == 1.0


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]])
def test_raters_held_to_the_others_do_not_depend_on_the_order_of_summation(order):
    rng = np.random.default_rng(3)
    table = rng.integers(10, 50, size=(40, 4)) / 10
    scores = [row[order].tolist() for row in table]
    judge = table.mean(axis=1) + rng.normal(size=40)
    found = evaluate_scores(table.mean(axis=1), {"j": judge}, annotators=scores, resamples=0).human_reference
    plain = evaluate_scores(table.mean(axis=1), {"j": judge}, annotators=table.tolist(), resamples=0).human_reference
    assert found.human["spearman"].estimate == pytest.approx(plain.human["spearman"].estimate, abs=1e-14)
