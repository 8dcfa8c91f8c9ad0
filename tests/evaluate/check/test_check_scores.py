"""Whether a judge still scores as it did: verdicts by intervals and stated margins."""

import json

import lager
import numpy as np
import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.evaluate.check.check_scores import check_scores
from lager.evaluate.check.equivalence import Equivalence, not_checked
from scipy import stats


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.05, 0.09, "PASS"), (-0.05, 0.1, "INCONCLUSIVE"), (-0.3, 0.3, "INCONCLUSIVE"), (0.1, 0.3, "FAIL"),
     (-0.3, -0.1, "FAIL"), (0.0, 0.0, "PASS")],
)  # fmt: skip
def test_a_verdict_is_where_the_whole_interval_lies(low, high, verdict):
    assert Equivalence("score", 0.0, low, high, 0.1).verdict == verdict


def test_what_has_no_interval_or_margin_is_not_checked():
    assert not_checked("score", "why", margin=0.1).verdict == "NOT CHECKED"
    assert Equivalence("score", 0.0, -1.0, 1.0, None).verdict == "NOT CHECKED"


def draw(rng, n=60, *, shift=0.0, noise=0.2, size=5):
    cluster = np.repeat(np.arange(n), size)
    quality = rng.normal(3, 0.8, size=n * size)
    human = quality + rng.normal(scale=0.4, size=n * size)
    then = quality + rng.normal(scale=0.3, size=n * size)
    return human, then, then + shift + rng.normal(scale=noise, size=n * size), pl.Series(cluster).cast(pl.String)


def test_without_clusters_the_mean_change_has_the_t_interval_of_one_sample():
    rng = np.random.default_rng(0)
    then = rng.normal(size=40)
    now = then + 0.02 + 0.1 * rng.normal(size=40)
    found = check_scores(then, now, margin=0.1).score
    expected = stats.ttest_1samp(now - then, 0.0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.change == pytest.approx((now - then).mean())


def test_small_changes_pass_large_ones_fail_and_few_items_tell_nothing():
    rng = np.random.default_rng(1)
    margins = {"margin": 0.1, "item_margin": 0.25, "agreement_margin": 0.1}
    human, then, now, cluster = draw(rng)
    same = check_scores(then, now, human=human, cluster=cluster, **margins)
    assert [part.verdict for part in same.parts] == ["PASS"] * 3
    assert same.verdict == "PASS"
    assert check_scores(then, now + 0.3, human=human, cluster=cluster, **margins).verdict == "FAIL"
    few = check_scores(*(one[::5][:20] for one in (then, now)), human=human[::5][:20], **margins)
    assert few.verdict == "INCONCLUSIVE"


def test_a_mean_that_stays_is_no_pass_where_every_item_may_have_changed():
    rng = np.random.default_rng(2)
    human, then, _, cluster = draw(rng)
    shuffled = rng.permutation(then)
    mean_alone = check_scores(then, shuffled, cluster=cluster, margin=0.3)
    assert mean_alone.score.verdict == "PASS"
    assert mean_alone.verdict == "NOT CHECKED"
    assert check_scores(then, shuffled, cluster=cluster, margin=0.3, item_margin=0.3).size.verdict == "FAIL"
    with_people = check_scores(then, shuffled, cluster=cluster, margin=0.3, human=human, agreement_margin=0.1)
    assert with_people.agreement.verdict == "FAIL"
    assert with_people.agreement.change < -0.5


def test_equal_scores_pass_everything_and_one_cluster_nothing():
    rng = np.random.default_rng(3)
    human, then, now, _ = draw(rng)
    same = check_scores(then, then, human=human, margin=0.1, item_margin=0.1, agreement_margin=0.05)
    assert [(part.change, part.verdict) for part in same.parts] == [(0.0, "PASS")] * 3
    one = check_scores(then, now, cluster=["a"] * len(then), margin=0.1, item_margin=0.5)
    assert one.verdict == "NOT CHECKED"
    assert one.score.reason == one.size.reason == "all items are of one cluster"


def test_few_items_are_no_pass_however_little_they_changed():
    for n in (2, 19):
        found = check_scores(np.arange(n) % 5, np.arange(n) % 5, margin=0.1, item_margin=0.1)
        assert found.verdict == "NOT CHECKED"
        assert found.score.reason == found.size.reason == f"{n} items or clusters: 20 are needed"
    clusters = np.repeat(np.arange(19), 10)
    assert (
        check_scores(np.arange(190) % 5, np.arange(190) % 5, cluster=clusters, margin=9).score.verdict == "NOT CHECKED"
    )


def test_items_that_did_not_change_bound_the_share_that_may_have():
    share = 1 - 0.05 ** (1 / 40)
    then = np.arange(40) % 5 + 1.0
    found = check_scores(then, then, margin=0.1, item_margin=0.5)
    assert (found.score.low, found.score.high) == pytest.approx((-4 * share, 4 * share))
    assert (found.size.low, found.size.high) == pytest.approx((0, 4 * share))
    assert [part.verdict for part in found.parts[:2]] == ["INCONCLUSIVE", "PASS"]
    wider = check_scores(then, then + 0.05, margin=0.1, score_range=9.0).score
    assert (wider.low, wider.high) == pytest.approx((0.05 - 9 * share, 0.05 + 9 * share))
    one_large = np.r_[np.zeros(190, int), np.arange(1, 31)]
    same = np.arange(220) % 5
    assert check_scores(same, same, cluster=one_large, margin=0.1).score.high > 3


@pytest.mark.parametrize("n", [5, 10, 15, 20, 40])
def test_scores_of_whole_numbers_that_rarely_change_pass_rarely(n):
    rng = np.random.default_rng(n)
    then = rng.integers(1, 5, size=n).astype(float)
    passed = sum(
        check_scores(then, then + (rng.random(n) < 0.12), margin=0.1, item_margin=0.1).verdict == "PASS"
        for _ in range(100)
    )
    assert passed <= 5


def test_agreement_of_a_constant_judge_is_not_checked_and_so_is_the_whole():
    human = np.arange(200) % 5 + 1.0
    options = {"margin": 0.1, "item_margin": 0.1, "agreement_margin": 0.05}
    constant = check_scores(np.full(200, 3.0), np.full(200, 3.0), human=human, **options)
    assert (constant.agreement.verdict, constant.verdict) == ("NOT CHECKED", "NOT CHECKED")
    assert constant.agreement.reason == "it is undefined: the baseline's and the new scores do not vary"
    alike = check_scores(human, human, human=np.full(200, 3.0), **options)
    assert alike.agreement.verdict == "NOT CHECKED"
    nobody = check_scores(human, human, **options)
    assert [part.verdict for part in nobody.parts] == ["PASS", "PASS", "NOT CHECKED"]
    assert nobody.verdict == "NOT CHECKED"
    nothing_to_go_by = check_scores(np.full(200, 3.0), np.full(200, 3.0), margin=0.1, item_margin=0.1)
    assert "one number" in nothing_to_go_by.score.reason


def test_a_judge_that_stopped_scoring_is_no_pass():
    then = np.arange(200) % 5 + 1.0
    options = {"margin": 0.2, "item_margin": 0.2}
    for n, verdict in ((10, "PASS"), (11, "NOT CHECKED"), (100, "NOT CHECKED")):
        now = np.where(np.arange(200) < n, np.nan, then)
        found = check_scores(then, now, **options)
        assert (found.verdict, found.missing) == (verdict, pytest.approx(n / 200))
    assert check_scores(then, now, **options, max_missing=0.5).verdict == "PASS"
    with pytest.raises(LagerError, match="missing 2: expected a share"):
        check_scores(then, then, margin=1, max_missing=2)


def test_the_change_of_mean_is_the_judges_and_the_items():
    then = np.array([1.0, 2.0, 3.0, 5.0, np.nan])
    now = np.array([1.5, 2.5, 3.5, np.nan, 1.0])
    mean = check_scores(then, now, margin=1.0).mean
    assert (mean.baseline, mean.new) == (2.75, 2.125)
    assert (mean.judge, mean.items) == pytest.approx((0.5, -1.125))
    assert (mean.n_baseline, mean.n_new, mean.n_both) == (4, 4, 3)
    assert mean.as_json()["change"] == pytest.approx(mean.judge + mean.items)


def test_agreement_is_the_paired_difference_of_lager_evaluate():
    rng = np.random.default_rng(4)
    human, then, now, cluster = draw(rng, noise=0.6)
    group = ["a", "b"] * 150
    found = check_scores(
        then, now, human=human, group=group, cluster=cluster, margin=1.0, agreement_margin=0.2, metric="pearson"
    ).agreement
    options = {"group": group, "cluster": cluster, "baseline": "then", "metrics": ["pearson"]}
    expected = lager.evaluate_scores(human, {"then": then, "now": now}, **options).comparison.differences["now"][
        "pearson"
    ]
    assert (found.change, found.low, found.high) == (expected.difference, expected.low, expected.high)


@pytest.mark.parametrize("planted", ["score", "size"])
def test_a_pass_is_rare_where_the_change_is_at_the_margin(planted):
    passed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(30), rng.integers(1, 9, size=30))
        own = rng.normal(size=len(cluster)) + rng.normal(size=30)[cluster]
        then = np.zeros(len(cluster))
        if planted == "score":
            passed += check_scores(then, 0.1 + 0.2 * own, cluster=cluster.tolist(), margin=0.1).score.verdict == "PASS"
        else:
            change = own * 0.1 / np.sqrt(4 / np.pi)
            found = check_scores(then, change, cluster=cluster.tolist(), margin=9.0, item_margin=0.1)
            passed += found.size.verdict == "PASS"
    assert passed <= 18  # 10 expected at most; 18 or fewer in 99 of 100 such runs


def test_the_result_is_json_and_the_function_is_public():
    found = lager.check_scores([1, 2, 3, 4] * 10, [1.1, 2, 3, 4.1] * 10, margin=0.5, item_margin=0.5)
    told = json.loads(json.dumps(found.as_json()))
    assert (told["verdict"], told["score"]["verdict"], told["agreement"]["verdict"]) == ("PASS", "PASS", "NOT CHECKED")
    assert told["agreement"]["reason"] == "there are no human scores"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"margin": 0.0}, "margin 0: expected a number above 0"),
        ({"margin": 1.0, "item_margin": -1.0}, "item margin -1"),
        ({"margin": 1.0, "agreement_margin": np.inf}, "agreement margin inf"),
        ({"margin": 1.0, "agreement_margin": 2.0}, "and below 2, which two figures of Spearman never lie apart"),
        ({"margin": 1.0, "metric": "magic"}, "magic"),
        ({"margin": 1.0, "human": [1.0]}, "columns have shapes"),
    ],
)
def test_bad_options_are_told(arguments, message):
    with pytest.raises(LagerError, match=message):
        check_scores([1.0, 2.0], [1.0, 2.5], **arguments)


def test_no_item_in_both_is_told():
    with pytest.raises(LagerError, match="none of 2 items has a score in both"):
        check_scores([1.0, np.nan], [np.nan, 2.0], margin=1.0)
