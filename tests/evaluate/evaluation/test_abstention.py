"""Abstaining from the least certain items: doubt that knows errors helps, doubt that does not is a random order."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.evaluation import abstention as curves_module
from lager.evaluate.evaluation import abstention_curves as outputs_module
from lager.evaluate.evaluation.abstention import SHARES, abstention_curves
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.evaluation.doubt import doubts_of
from lager.evaluate.report.outputs import write_outputs
from lager.train.aggregator.item_doubt import standard_deviation
from support.caches import identity, make_cache, make_items, make_shard, write


def judged(n: int = 2000, *, known: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Human scores, scores whose errors have a spread of their own, and a doubt that is this spread or another's."""
    rng = np.random.default_rng(3)
    human, spread = rng.uniform(1, 5, n), rng.uniform(0.05, 1.5, n)
    score = human + rng.normal(size=n) * spread
    return human, score, spread if known else rng.permutation(spread)


def of_metric(points, metric):
    return np.array([point.metrics[metric].estimate for point in points], dtype=float)


def test_doubt_that_knows_errors_gives_a_falling_mae_between_the_best_and_a_random_order():
    human, score, doubt = judged(known=True)
    points = abstention_curves(human, score, {"sd": doubt})["sd"]
    mae, oracle = of_metric(points, "mae"), np.array([point.oracle for point in points])
    assert (np.diff(mae) < 0).all()
    assert mae[-1] < 0.3 * mae[0]
    assert (oracle[1:] < mae[1:]).all()
    assert [point.random["mae"] for point in points] == pytest.approx([mae[0]] * 10)
    assert of_metric(points, "spearman")[-1] > points[-1].random["spearman"] + 0.1
    assert [point.n for point in points] == [20 * share for share in SHARES]
    assert [point.most_doubt for point in points] == sorted((point.most_doubt for point in points), reverse=True)


def test_doubt_that_is_noise_does_as_well_as_a_random_order():
    human, score, doubt = judged(known=False)
    points = abstention_curves(human, score, {"sd": doubt}, resamples=200)["sd"]
    for metric, near in (("mae", 0.1), ("spearman", 0.1), ("pearson", 0.1)):
        random = np.array([point.random[metric] for point in points])
        assert of_metric(points, metric) == pytest.approx(random, abs=near)
        assert random == pytest.approx([random[0]] * 10, abs=0.02)
    inside = [one.low < points[0].metrics["mae"].estimate < one.high for one in (p.metrics["mae"] for p in points)]
    assert sum(inside) >= 8


def test_every_figure_is_that_of_evaluate_scores_on_the_items_kept():
    human, score, doubt = judged(60, known=True)
    cluster = np.array([f"text{i // 3}" for i in range(60)], dtype=object)
    points = abstention_curves(human, score, {"a": doubt, "b": -doubt}, cluster=cluster, resamples=50, seed=5)
    for name, order in (("a", np.argsort(doubt)), ("b", np.argsort(-doubt))):
        only = np.full(60, np.nan)
        only[order[:30]] = score[order[:30]]
        expected = evaluate_scores(human, {"j": only}, cluster=cluster, resamples=50, seed=5)["j"].metrics
        half = points[name][SHARES.index(50)].metrics
        assert {metric: half[metric] for metric in half} == {metric: expected[metric] for metric in half}


def test_the_share_is_kept_within_each_group():
    human, score, doubt = judged(200, known=True)
    group = np.where(np.arange(200) < 150, "sure", "unsure").astype(object)
    doubt = doubt + 10 * (group == "unsure")
    by_group = abstention_curves(human, score, {"sd": doubt}, group=group)["sd"][-1]
    assert by_group.n == 15 + 5
    assert by_group.metrics["mae"].groups == 2
    errors = [
        np.abs(score - human)[np.flatnonzero(group == name)[np.argsort(doubt[group == name])[:k]]].mean()
        for name, k in (("sure", 15), ("unsure", 5))
    ]
    assert by_group.metrics["mae"].estimate == pytest.approx(np.mean(errors))
    assert abstention_curves(human, score, {"sd": doubt})["sd"][2].most_doubt > 10  # pooled: 80 % of all 200
    assert abstention_curves(human, score, {"sd": doubt})["sd"][3].most_doubt < 10 + doubt[group == "unsure"].max()


def test_ties_are_not_taken_in_the_order_that_items_stand_in():
    human, score, _ = judged(known=True)
    order = np.argsort(np.abs(score - human))  # the best first: the order of rows would be the oracle's
    points = abstention_curves(human[order], score[order], {"sd": np.ones(2000)}, seed=1)["sd"]
    assert of_metric(points, "mae") == pytest.approx([points[0].metrics["mae"].estimate] * 10, abs=0.12)
    assert points[-1].oracle < 0.1 * points[-1].metrics["mae"].estimate
    again = abstention_curves(human[order], score[order], {"sd": np.ones(2000)}, seed=1)["sd"]
    assert again == points


def test_what_too_few_items_are_left_for_is_null_with_a_reason():
    human, score, doubt = judged(12, known=True)
    group = np.array(list("abcabcabcabc"), dtype=object)
    last = abstention_curves(human, score, {"sd": doubt}, group=group)["sd"][-1]
    assert last.n == 3
    assert last.metrics["spearman"].estimate is None
    assert last.metrics["spearman"].reason == "fewer than 2 items in all 3 groups"
    assert last.random["spearman"] is None
    assert last.metrics["mae"].estimate is not None
    assert last.oracle <= last.metrics["mae"].estimate


def test_random_orders_drawn_in_blocks_are_the_same(monkeypatch):
    human, score, doubt = judged(90, known=True)
    whole = abstention_curves(human, score, {"sd": doubt})["sd"][-1].random
    monkeypatch.setattr(curves_module, "_KEPT_AT_ONCE", 3 * 900)
    assert abstention_curves(human, score, {"sd": doubt})["sd"][-1].random == pytest.approx(whole)


@pytest.mark.parametrize(
    ("score", "doubt", "told"),
    [
        ([1.0, 2.0], [0.1, 0.2, 0.3], "columns have shapes"),
        ([1.0, 2.0, 3.0], [0.1, 0.2], "doubt 'sd' has shape (2,), expected one number for each of 3 items"),
        ([1.0, 2.0, 3.0], [0.1, np.nan, 0.3], "doubt 'sd' is missing for 1 items"),
        ([np.nan] * 3, [0.1, 0.2, 0.3], "none of the 3 items has a score and a human score"),
    ],
)
def test_columns_that_do_not_fit_are_refused(score, doubt, told):
    with pytest.raises(LagerError) as error:
        abstention_curves([1.0, 2.0, 3.0], score, {"sd": doubt})
    assert told in str(error.value)


def test_being_torn_between_the_ends_is_more_doubt_than_between_neighbours():
    proba = np.array([[0.5, 0.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 1.0, 0.0, 0.0]])
    assert standard_deviation(proba, np.arange(1.0, 6.0)) == pytest.approx([2.0, 0.5, 0.0])


def cache_of_widths(path: Path, *, known: bool) -> FeatureCache:
    """A cache of judges whose distribution is as wide as their errors are large, or as wide as another item's."""
    items = make_items(300, clusters=60)
    human = items.table["scores"].list.mean().to_numpy()
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.2, 1.5, 300)
    width = spread if known else rng.permutation(spread)
    centre = np.clip(human + spread * rng.normal(size=300), 1, 5)
    logits = -0.5 * ((np.arange(1, 6) - centre[:, None]) / width[:, None])[:, None, :] ** 2
    shard = make_shard(items)
    every = np.broadcast_to(logits, shard.logits.shape).astype(np.float32)
    normed = np.where(np.isnan(shard.logits_normed), np.nan, every).astype(np.float32)
    shard = replace(shard, logits=every, logits_normed=normed, logsumexp=np.full(300, 9.0, np.float32))
    writer = CacheWriter.start(path, identity=identity(), item_id=items.item_id, shard_size=300)
    write(writer, 0, shard, items)
    return writer.finalize()


@pytest.mark.parametrize("known", [True, False])
def test_of_a_cache_mae_falls_where_wide_distributions_err_more_and_only_there(known, tmp_path):
    evaluation = evaluate_cache(cache_of_widths(tmp_path / "c", known=known), ["e-score", "lager"], resamples=0)
    found = outputs_module.abstention(evaluation)
    assert found.level == "group"
    for by_doubt in found.curves.values():
        mae = of_metric(by_doubt["sd"], "mae")
        if known:
            assert mae[-1] < 0.6 * mae[0]
            assert (np.diff(mae[::2]) < 0).all()
        else:
            assert mae == pytest.approx([mae[0]] * 10, rel=0.25)
            assert mae[5] > 0.9 * mae[0]


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    cache = make_cache(tmp_path_factory.mktemp("abstain") / "c", 60, clusters=20, invalid=frozenset({3}))
    return evaluate_cache(cache, ["e-score", "lager", "lager-tuned", "length", "ridge"], folds=3, resamples=20)


def test_doubt_of_folds_is_that_of_the_distribution_the_score_was_read_from(evaluation):
    rows = np.flatnonzero(evaluation.cache.valid)
    doubts = doubts_of(evaluation, rows[::2])
    assert list(doubts) == ["e-score", "lager", "lager-tuned"]
    scores = next(one.scores for one in evaluation.scored if one.name == "lager-tuned")[rows]
    values, readouts = evaluation.cache.scale.array, evaluation.cache.readouts()
    proba = [one.predict_proba(readouts) for one in evaluation.aggregators["lager-tuned"]]
    own = np.argmin([np.abs(one @ values - scores) for one in proba], axis=0)  # the fold that gave the score
    chosen = np.array([proba[fold][row] for row, fold in enumerate(own)])
    assert chosen @ values == pytest.approx(scores, abs=1e-12)
    assert doubts["lager-tuned"]["sd"] == pytest.approx(standard_deviation(chosen, values)[::2])
    assert doubts["lager-tuned"]["entropy"] == pytest.approx(-(chosen * np.log(chosen)).sum(axis=1)[::2])


def test_the_outputs_hold_curves_of_every_strategy_with_a_distribution_and_say_which_have_none(evaluation, tmp_path):
    written, _ = write_outputs(evaluation, tmp_path / "out")
    assert tmp_path / "out/abstention.csv" in written
    table = pl.read_csv(tmp_path / "out/abstention.csv")
    assert table.height == 3 * 2 * len(SHARES) * 3
    assert set(table["n"].filter(table["share"] == 100)) == {59}
    told = json.loads((tmp_path / "out/results.json").read_text())["abstention"]
    assert told["strategies"] == ["e-score", "lager", "lager-tuned"]
    assert {one["strategy"] for one in told["without"]} == {"ridge", "length"}
    assert all("not read from a distribution" in one["reason"] for one in told["without"])
    whole = table.filter(strategy="lager", doubt="sd", share=100, metric="spearman")["estimate"][0]
    assert whole == pytest.approx(evaluation.agreement["lager"].metrics["spearman"].estimate)
    assert 'id="figure-abstention"' in (tmp_path / "out/report.html").read_text()
    with pytest.raises(LagerError, match="exists already"):
        write_outputs(evaluation, tmp_path / "out")


def test_of_many_items_a_sample_is_taken_and_told(evaluation, monkeypatch):
    monkeypatch.setattr(outputs_module, "MOST_ITEMS", 30)
    monkeypatch.setattr(outputs_module, "_INTERVAL_ITEMS", 10)
    found = outputs_module.abstention(evaluation)
    assert (found.as_json()["items"], found.as_json()["items_of"]) == (30, 59)
    assert found.curves["lager"]["sd"][0].n == 30
    assert found.curves["lager"]["sd"][0].metrics["mae"].low is None
