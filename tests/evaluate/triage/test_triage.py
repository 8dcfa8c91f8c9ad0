"""The threshold on doubt below which a judge may decide alone."""

import json

import lager
import numpy as np
import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.evaluate.triage.triage import triage


def draw(rng, n_clusters, *, size=5, steep=0.3, noise=1.0):
    """Clusters whose errors are alike, and likelier with more doubt."""
    cluster = np.repeat(np.arange(n_clusters), size)
    doubt = rng.uniform(size=len(cluster))
    factor = rng.gamma(1 / noise, noise, size=n_clusters)[cluster]
    return (rng.uniform(size=len(cluster)) < np.minimum(steep * doubt * factor, 1)).astype(float), doubt, cluster


def text(cluster):
    return pl.Series(cluster).cast(pl.String)


def test_more_is_decided_with_more_labels_and_never_far_above_the_allowed_risk():
    rng = np.random.default_rng(0)
    few, many = (triage(*draw(rng, n)[:2], cluster=text(draw(rng, n)[2])) for n in (40, 2000))
    assert few.verdict == "INCONCLUSIVE"
    assert few.threshold is None
    assert many.verdict == "FOUND"
    assert 0.45 < many.threshold < 0.667  # the true risk is half of 0.3 times the threshold
    assert many.chosen.share == pytest.approx(many.threshold, abs=0.03)
    assert many.chosen.risk == pytest.approx(0.15 * many.threshold, abs=0.02)


def test_the_sequence_ends_with_the_first_threshold_that_fails():
    rng = np.random.default_rng(1)
    found = triage(*draw(rng, 1500)[:2], thresholds=np.linspace(0.05, 1, 20))
    passed = [step.p <= 0.1 for step in found.steps]
    assert passed == [True] * (len(passed) - 1) + [False]
    assert found.threshold == found.steps[-2].threshold


def test_violations_are_as_rare_as_stated_where_the_risk_is_just_too_large():
    rng = np.random.default_rng(2)
    above = 0
    for _ in range(40):
        wrong, doubt, cluster = draw(rng, 120)
        wrong = (rng.uniform(size=len(wrong)) < 0.101).astype(float)
        above += triage(wrong, doubt, cluster=text(cluster)).threshold is not None
    assert above <= 8  # 4 expected at most


def test_labels_that_are_told_find_a_threshold():
    rng = np.random.default_rng(4)
    first = triage(*(few := draw(rng, 80, noise=0.2))[:2], cluster=text(few[2]))
    assert first.threshold is None
    assert 400 < first.labels_needed < 20_000
    found = []
    for _ in range(10):
        wrong, doubt, cluster = draw(rng, first.labels_needed // 5, noise=0.2)
        found.append(triage(wrong, doubt, cluster=text(cluster)).threshold is not None)
    assert np.mean(found) >= 0.6


def test_no_number_of_labels_helps_a_judge_that_errs_too_often():
    rng = np.random.default_rng(4)
    found = triage(rng.uniform(size=600) < 0.4, rng.uniform(size=600))
    assert (found.verdict, found.labels_needed) == ("INCONCLUSIVE", None)


def test_items_without_a_label_say_where_thresholds_lie_and_no_label_is_given_up():
    rng = np.random.default_rng(5)
    wrong, doubt, _ = draw(rng, 400)
    apart = triage(wrong, doubt)
    assert apart.set_apart + apart.n == 2000
    assert apart.set_apart == pytest.approx(200, abs=5)
    others = triage(np.append(wrong, np.full(300, np.nan)), np.append(doubt, rng.uniform(size=300)))
    assert (others.set_apart, others.n) == (0, 2000)
    thresholds = {step.threshold for step in others.steps}
    assert not thresholds & set(doubt)


def test_items_and_clusters_are_two_estimands_and_a_cap_a_third():
    rng = np.random.default_rng(6)
    size = np.where(np.arange(600) % 3 == 0, 12, 1)
    cluster = np.repeat(np.arange(600), size)
    wrong = np.where(np.repeat(size, size) > 1, rng.uniform(size=len(cluster)) < 0.15, 0.0)
    doubt = rng.uniform(size=len(cluster))
    options = {"cluster": text(cluster), "thresholds": [1.0]}
    by_item, by_cluster = (triage(wrong, doubt, unit=unit, **options) for unit in ("item", "cluster"))
    assert by_item.steps[0].risk == pytest.approx(wrong.mean())
    means = [wrong[cluster == one].mean() for one in range(600)]
    assert by_cluster.steps[0].risk == pytest.approx(np.mean(means))
    assert (by_item.threshold, by_cluster.threshold) == (None, 1.0)
    assert "every cluster counting as one item" in by_cluster.estimand
    capped = triage(wrong, doubt, largest_cluster=3, **options)
    assert by_cluster.steps[0].risk < capped.steps[0].risk < by_item.steps[0].risk
    assert (capped.n_capped, by_item.n_capped) == (200, 0)
    assert "a cluster of more than 3 as so many" in capped.estimand
    as_one = triage(wrong, doubt, largest_cluster=1, **options)
    assert as_one.steps[0].p == pytest.approx(by_cluster.steps[0].p)


def test_a_larger_stated_cluster_makes_it_harder():
    rng = np.random.default_rng(7)
    wrong, doubt, cluster = draw(rng, 500, steep=0.1)
    options = {"cluster": text(cluster), "thresholds": [1.0]}
    p = [triage(wrong, doubt, largest_cluster=most, **options).steps[0].p for most in (5, 40)]
    assert p[0] < 0.01 < p[1]


def test_order_of_rows_and_names_of_clusters_do_not_matter():
    rng = np.random.default_rng(8)
    wrong, doubt, cluster = draw(rng, 300)
    found = triage(wrong, doubt, cluster=text(cluster))
    order = rng.permutation(len(wrong))
    again = triage(wrong[order], doubt[order], cluster=text(cluster)[order.tolist()])
    assert again.threshold == found.threshold is not None
    assert [step.p for step in again.steps] == pytest.approx([step.p for step in found.steps])


def test_the_result_is_json_and_the_function_is_public():
    rng = np.random.default_rng(9)
    found = lager.triage(*draw(rng, 300)[:2])
    told = json.loads(json.dumps(found.as_json()))
    assert told["verdict"] == found.verdict
    assert told["bound"] == "hoeffding-bentkus"
    assert told["chosen"]["p"] <= 0.1
    assert told["estimand"] == "errors among the items decided alone, every item counting the same"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"risk": 0.0}, "risk 0: expected a share between 0 and 1"),
        ({"confidence": 1.5}, "confidence 1.5"),
        ({"unit": "text"}, "unit 'text': expected item or cluster"),
        ({"bound": "magic"}, "bound 'magic': expected betting"),
        ({"cluster": ["a"] * 4, "bound": "hoeffding-bentkus"}, "needs independent items"),
        ({"cluster": ["a"] * 4}, "two clusters of labelled items or more"),
        ({"cluster": ["a"]}, "columns have shapes"),
        ({"largest_cluster": 0}, "expected 1 item or more"),
        ({"thresholds": []}, "expected one or more finite numbers"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(LagerError, match=message):
        triage([0, 1, 0, 0], [0.1, 0.2, 0.3, 0.4], **options)


def test_bad_columns_are_told():
    with pytest.raises(LagerError, match="neither 0 nor 1"):
        triage([0.5, 1.0], [0.1, 0.2])
    with pytest.raises(LagerError, match="a doubt is infinite"):
        triage([0, 1], [0.1, np.inf])
    with pytest.raises(LagerError, match="none of 2 items has a label, a score and a doubt"):
        triage([np.nan, 1], [0.1, np.nan])
