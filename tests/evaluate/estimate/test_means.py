"""Means from few labels: the judge's error is corrected, what it knows is used, and nothing false is believed."""

import numpy as np
import pytest
from lager import LagerError, estimate_means
from lager.evaluate.agreement.fold_scores import FoldScores

SYSTEMS = np.array(["hasty", "plain", "stately"])
TRUE = {"hasty": 2.5, "plain": 3.0, "stately": 3.5}


def drawn(seed=0, *, n_clusters=200, labelled=40, correlation=0.8, per_cluster=6):
    """Items of three systems in clusters; the judge likes the first far too much and people like the last."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), per_cluster)
    system = np.tile(SYSTEMS, n_clusters * per_cluster // 3)
    text = rng.normal(size=n_clusters)[cluster] * 0.7
    quality = text + 0.7 * rng.normal(size=len(cluster))
    truth = np.array([TRUE[one] for one in system]) + quality
    noise = np.sqrt(1 - correlation**2) * rng.normal(size=len(cluster))
    judge = 4 + correlation * quality + noise - 0.5 * np.array([TRUE[one] for one in system])
    human = np.where(cluster < labelled, truth, np.nan)
    return human, judge, system, cluster, truth


def by_name(found):
    return {one.name: one for one in found.means}


def test_a_judge_who_likes_the_wrong_system_is_put_right():
    human, judge, system, cluster, _ = drawn()
    found = by_name(estimate_means(human, {"judge": judge}, system=system, cluster=cluster))
    assert found["hasty"].judge_means["judge"] > found["stately"].judge_means["judge"]
    for name, truth in TRUE.items():
        assert found[name].low < truth < found[name].high
        assert abs(found[name].mean - truth) < 0.25
    assert (found["plain"].n_items, found["plain"].n_labelled, found["plain"].n_clusters) == (400, 80, 40)


def test_a_good_judge_narrows_the_intervals_and_a_random_one_does_not_widen_them():
    human, judge, system, cluster, _ = drawn(correlation=0.9)
    good = estimate_means(human, {"judge": judge}, system=system, cluster=cluster)
    assert good.width() < 0.75
    assert 0.5 < good.weight < 1.2
    widths = []
    for seed in range(30):
        human, judge, system, cluster, _ = drawn(seed, n_clusters=60, labelled=12, correlation=0.0)
        widths.append(estimate_means(human, {"judge": judge}, system=system, cluster=cluster, resamples=0).width())
    assert np.mean(widths) < 1.02


def test_the_formula_by_hand():
    human = np.array([1.0, 3.0, 2.0, 5.0, np.nan, np.nan, np.nan, np.nan])
    judge = np.array([2.0, 3.0, 2.0, 4.0, 3.0, 5.0, 1.0, 4.0])
    (one,) = estimate_means(human, {"judge": judge}, weight=0.5).means
    assert one.mean == pytest.approx(2.75 + 0.5 * (24 / 8 - 11 / 4))
    assert one.labelled_mean == 2.75
    # labels alone: the ordinary t interval, as every item is a cluster
    error = np.std([1, 3, 2, 5], ddof=1) / 2
    assert one.labelled_high - one.labelled_low == pytest.approx(2 * 3.182446305284263 * error)


def test_another_scale_of_the_judge_changes_nothing():
    human, judge, system, cluster, _ = drawn()
    one = estimate_means(human, {"judge": judge}, system=system, cluster=cluster)
    other = estimate_means(human, {"judge": 20 * judge - 7}, system=system, cluster=cluster)
    assert other.weight == pytest.approx(one.weight / 20)
    for mine, theirs in zip(one.means, other.means, strict=True):
        assert (theirs.mean, theirs.low) == pytest.approx((mine.mean, mine.low))
    assert other.outside > 0.9 > one.outside


def test_order_of_rows_does_not_matter():
    human, judge, system, cluster, _ = drawn()
    turned = np.random.default_rng(1).permutation(len(human))
    one = estimate_means(human, {"judge": judge}, system=system, cluster=cluster)
    other = estimate_means(human[turned], {"judge": judge[turned]}, system=system[turned], cluster=cluster[turned])
    np.testing.assert_allclose([a.high for a in one.means], [b.high for b in other.means], rtol=1e-12)


def test_differences_are_paired_by_cluster_and_ranked():
    human, judge, system, cluster, _ = drawn(labelled=80)
    found = estimate_means(human, {"judge": judge}, system=system, cluster=cluster)
    assert [(one.one, one.other) for one in found.differences] == [
        ("hasty", "plain"), ("hasty", "stately"), ("plain", "stately"),
    ]  # fmt: skip
    means = by_name(found)
    far = found.differences[1]
    assert far.low < -1 < far.high
    assert far.high - far.low < np.hypot(
        means["hasty"].high - means["hasty"].low, means["stately"].high - means["stately"].low
    )
    assert all(one.p_holm >= one.p for one in found.differences)
    assert [(one.system, one.best, one.worst) for one in found.ranks] == [
        ("hasty", 3, 3),
        ("plain", 2, 2),
        ("stately", 1, 1),
    ]
    assert found.orders[0].order == ("stately", "plain", "hasty")
    assert found.orders[0].share > 0.95


def test_known_probabilities_undo_a_choice_of_doubtful_items():
    _, judge, _, cluster, truth = drawn(seed=4, n_clusters=400)
    rng = np.random.default_rng(2)
    probability = np.clip(0.05 + 0.25 * (judge > np.median(judge)), 0, 1)
    human = np.where(rng.random(len(truth)) < probability, truth, np.nan)
    with pytest.raises(LagerError, match=r"not drawn at random.*'probability'"):
        estimate_means(human, {"judge": judge}, cluster=cluster)
    for weighting in ("hajek", "horvitz-thompson"):
        found = estimate_means(human, {"judge": judge}, cluster=cluster, probability=probability, weighting=weighting)
        assert found.random_p > 0.001
        assert found.notes == ()
        (one,) = found.means
        assert one.low < 3.0 < one.high
    strata = np.where(judge > np.median(judge), "high", "low")
    (one,) = estimate_means(human, {"judge": judge}, cluster=cluster, stratum=strata).means
    assert one.low < 3.0 < one.high
    assert abs(np.nanmean(human) - 3.0) > 0.2


def test_probabilities_that_are_not_the_chances_are_noted():
    human, judge, _, cluster, truth = drawn(seed=4, n_clusters=100)
    rng = np.random.default_rng(2)
    human = np.where(rng.random(len(truth)) < 0.3, truth, np.nan)
    found = estimate_means(human, {"judge": judge}, cluster=cluster, probability=np.full(len(truth), 0.9))
    assert any("labelled items stand for 2" in one and "and there are 600" in one for one in found.notes)
    high = judge > np.median(judge)
    human = np.where(rng.random(len(truth)) < np.where(high, 0.5, 0.1), truth, np.nan)
    found = estimate_means(human, {"judge": judge}, cluster=cluster, probability=np.where(high, 0.31, 0.3))
    assert found.random_p < 0.001
    assert any("weighted by their chances, labelled items have other scores" in one for one in found.notes)
    with pytest.raises(LagerError, match="not drawn at random, or not with equal chances"):
        estimate_means(human, {"judge": judge}, cluster=cluster, probability=np.full(len(truth), 0.3))


def test_scores_learnt_from_the_labels_come_by_folds():
    human, _, system, cluster, _ = drawn(labelled=20, n_clusters=60)
    rows = np.isfinite(human)
    fold = cluster % 2
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(len(human), 25))
    models = []
    for model in range(2):
        train = rows & (fold != model)
        models.append(columns @ np.linalg.lstsq(columns[train], human[train] - 3, rcond=None)[0] + model)
    found = estimate_means(human, {"learnt": FoldScores(np.array(models), fold)}, system=system, cluster=cluster)
    assert found.weight < 0.15
    in_sample = columns @ np.linalg.lstsq(columns[rows], human[rows] - 3, rcond=None)[0]
    believed = estimate_means(human, {"learnt": in_sample}, system=system, cluster=cluster)
    assert believed.weight > found.weight


def test_a_model_that_scores_higher_shifts_no_estimate():
    human, judge, system, cluster, _ = drawn()
    fold = cluster % 2
    level = estimate_means(
        human, {"a": FoldScores(np.array([judge, judge]), fold)}, system=system, cluster=cluster, weight=1
    )
    raised = estimate_means(
        human, {"a": FoldScores(np.array([judge, judge + 5]), fold)}, system=system, cluster=cluster, weight=1
    )
    gaps = [abs(a.mean - b.mean) for a, b in zip(level.means, raised.means, strict=True)]
    assert max(gaps) < 1e-9


def test_several_judges_are_mixed_and_the_better_counts_more():
    human, judge, system, cluster, truth = drawn(correlation=0.6)
    better = truth + np.random.default_rng(8).normal(scale=0.4, size=len(truth))
    found = estimate_means(human, {"a": judge, "b": better}, system=system, cluster=cluster)
    assert found.mixture["b"] > found.mixture["a"]
    alone = estimate_means(human, {"a": judge}, system=system, cluster=cluster)
    assert found.width() < alone.width()
    assert alone.mixture == {}


def test_what_a_judge_has_not_scored_is_guessed_alike():
    human, judge, system, cluster, _ = drawn()
    judge[::10] = np.nan
    found = estimate_means(human, {"judge": judge}, system=system, cluster=cluster)
    assert found.notes == ("judge has not scored 120 of 1200 items: they count as its mean of their system",)
    assert all(one.low < TRUE[one.name] < one.high for one in found.means)


def test_scores_of_labelled_items_alone_are_refused():
    human, judge, system, cluster, _ = drawn()
    for share in (1.0, 0.5):  # of the other items without a score
        few = np.where(np.isnan(human) & (np.random.default_rng(1).random(len(human)) < share), np.nan, judge)
        with pytest.raises(LagerError, match=r"judge has scored 100% of the 240 labelled items and .*score all items"):
            estimate_means(human, {"judge": few}, system=system, cluster=cluster)
    labels_missing = np.where(np.isnan(human), judge, np.nan)
    with pytest.raises(LagerError, match=r"judge has scored 0% of the 240 labelled items and 100% of the 960 others"):
        estimate_means(human, {"judge": labels_missing}, system=system, cluster=cluster)


def test_scores_of_few_labelled_items_alone_are_refused_too():
    human, judge = np.r_[1.0, 2.0, 3.0, 2.0, [np.nan] * 20], np.r_[1.0, 2.0, 3.0, 1.0, [np.nan] * 20]
    with pytest.raises(LagerError, match="scored 100% of the 4 labelled items and 0% of the 20 others"):
        estimate_means(human, {"judge": judge}, cluster=np.arange(24) % 4)


def test_a_system_that_the_judge_never_saw_has_its_labels_alone():
    human, judge, system, cluster, truth = drawn()
    judge = np.where(system == "hasty", np.nan, truth)
    found = estimate_means(human, {"judge": judge}, system=system, cluster=cluster, at_least=3.0)
    means = by_name(found)
    assert means["hasty"].judge_means == {"judge": None}
    assert means["hasty"].mean == pytest.approx(means["hasty"].labelled_mean)
    assert means["plain"].judge_means["judge"] == pytest.approx(truth[system == "plain"].mean())
    assert "judge has scored no item of hasty: it says nothing there, and labels alone count" in found.notes
    assert found.rogan_gladen[0].reason == "the judge has scored none of its items"
    assert found.rogan_gladen[1].share is not None


def test_systems_with_no_label_or_labels_in_one_cluster_say_so():
    human, judge, system, cluster, _ = drawn()
    human[system == "hasty"] = np.nan
    human[(system == "plain") & (cluster != 3)] = np.nan
    found = by_name(estimate_means(human, {"judge": judge}, system=system, cluster=cluster))
    assert found["hasty"].mean is None
    assert found["hasty"].reason == "none of its items has a human score"
    assert found["plain"].mean is not None
    assert found["plain"].low is None
    assert found["plain"].reason == "its labels are in one cluster"
    assert found["stately"].low < 3.5 < found["stately"].high


def test_shares_and_rogan_gladen_beside_them():
    human, judge, system, cluster, truth = drawn(seed=3)
    found = estimate_means(human, {"judge": judge}, system=system, cluster=cluster, at_least=3.5)
    for one in found.means:
        assert one.low < np.mean(truth[system == one.name] >= 3.5) < one.high
    assert [one.name for one in found.rogan_gladen] == ["hasty", "plain", "stately"]
    assert found.as_json()["at_least"] == 3.5


def test_everything_labelled_is_the_mean_itself():
    _, judge, system, cluster, truth = drawn()
    found = estimate_means(truth, {"judge": judge}, system=system, cluster=cluster)
    for one in found.means:
        assert one.mean == pytest.approx(truth[system == one.name].mean())
    assert found.random_p is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"human": [np.nan] * 6}, "none of the 6 items has a human score"),
        ({"judges": {}}, "there is no judge"),
        ({"judges": {"a": [1.0, 2.0]}}, r"the scores of a have shape \(1, 2\), expected one for each of 6"),
        ({"judges": {"a": [np.nan] * 6}}, "a has scored no item"),
        ({"judges": {"a": ["x"] * 6}}, "the scores of a must be numbers"),
        ({"judges": {"a": [np.inf] * 6}}, "infinite"),
        ({"system": ["a"] * 5}, r"system has shape \(5,\), expected one label for each of 6"),
        ({"probability": [0.5, 0.5, 0.0, 1, 1, 1]}, "1 of 4 labelled items have no probability in"),
        ({"probability": [0.5] * 6, "stratum": ["a"] * 6}, "give one of them"),
        ({"stratum": ["a", "a", "a", "a", "b", "b"]}, "stratum 'b' has no labelled item"),
        ({"variance": "hc3"}, "variance 'hc3': choose from jackknife, iid"),
        ({"level": 95}, "level 95: expected a share"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, said):
    options = {"human": [1.0, 2.0, 3.0, 2.0, np.nan, np.nan], "judges": {"a": np.arange(6.0)}} | change
    with pytest.raises(LagerError, match=said):
        estimate_means(options.pop("human"), options.pop("judges"), **options)


def test_very_many_systems_are_not_compared_in_pairs():
    rng = np.random.default_rng(1)
    human, system = rng.normal(size=1200), np.arange(1200) % 150
    found = estimate_means(human, {"judge": human + rng.normal(size=1200)}, system=system, resamples=0)
    assert found.differences == found.ranks == ()
    assert "150 systems are too many to compare in pairs: differences and ranks are left out" in found.notes
    with pytest.raises(LagerError, match="5000 systems times 5000 clusters are more than"):
        estimate_means(rng.normal(size=5000), {"judge": np.ones(5000)}, system=np.arange(5000))


@pytest.mark.parametrize("option", ["weight", "at_least"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(option, value):
    with pytest.raises(LagerError, match=r"(weight|at least) (nan|inf): expected a finite number"):
        estimate_means([1.0, 2.0, 3.0, 2.0], {"a": np.arange(4.0)}, **{option: value})
