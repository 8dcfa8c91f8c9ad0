"""What decisions are made on: people score some items, judges all, and no judge what it was fitted on."""

import json

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.evaluate.decisions.judged_items import read_judged_items
from lager.train.files.aggregator_file import save_aggregator
from lager.train.strategies.fit import fit_strategy
from lager.train.training_run import train_on_cache
from support.caches import make_cache

INVALID = 3


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    path = tmp_path_factory.mktemp("cache") / "all"
    return make_cache(path, 60, clusters=12, invalid=frozenset({INVALID}))


@pytest.fixture(scope="module")
def few(cache):
    """Human scores of the items of half the clusters, and how probable it was to draw each."""
    rows = [
        {"id": one, "score": scores, "probability": 0.5}
        for one, scores, text in zip(cache.item_id, cache.scores, cache.column("cluster"), strict=True)
        if int(text.removeprefix("text")) % 2
    ]
    path = cache.path.parent / "few.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="module")
def judged(cache, few):
    return read_judged_items(cache.path, strategies=["e-score", "ridge"], scores=few, folds=3)


def test_only_some_items_need_human_scores(judged, cache):
    assert len(judged) == 60
    assert judged.labelled.sum() == 30
    np.testing.assert_array_equal(judged.human[judged.labelled], cache.mean_scores[judged.labelled])
    assert [len(scores) for scores in judged.raters] == [3 if there else 0 for there in judged.labelled]
    assert judged.ids == list(cache.item_id)
    assert list(judged.cluster) == list(cache.column("cluster"))
    assert set(judged.system) == {"writer0", "writer1", "writer2", "writer3"}


def test_columns_of_the_score_file_are_columns_of_the_items(judged):
    column = judged.column("probability")
    assert [value for value, there in zip(column, judged.labelled, strict=True) if there] == ["0.5"] * 30
    assert {value for value, there in zip(column, judged.labelled, strict=True) if not there} == {None}


def test_a_labelled_item_is_scored_by_the_model_that_has_not_seen_its_cluster(judged, cache, few):
    judge = judged.judges["ridge"]
    readouts = cache.with_scores(few).readouts()
    for model in range(3):
        unseen = judged.labelled & (judge.folded.fold == model) & cache.valid
        others = judged.labelled & ~unseen & cache.valid
        assert not set(judged.cluster[unseen]) & set(judged.cluster[others])
        fitted = fit_strategy("ridge", readouts.take(np.flatnonzero(others[cache.valid])))
        np.testing.assert_allclose(judge.scores[unseen], fitted.predict(readouts)[unseen[cache.valid]], rtol=1e-5)


def test_an_item_without_label_has_the_mean_of_all_models(judged, cache):
    judge = judged.judges["ridge"]
    rows = ~judged.labelled & cache.valid
    assert judge.folded.by_model.shape == (3, 60)
    np.testing.assert_allclose(judge.scores[rows], judge.folded.by_model[:, rows].mean(axis=0))
    assert judge.folded.by_model[:, rows].std(axis=0).max() > 0
    assert np.isnan(judge.scores[INVALID])
    assert np.isfinite(judge.scores).sum() == 59


def test_an_unfitted_strategy_and_a_file_stand_beside_it(cache, few, tmp_path):
    (tmp_path / "gpt.csv").write_text("id,rating\n" + "\n".join(f"item{i},{1 + i % 5}" for i in range(50)))
    judged = read_judged_items(cache.path, strategies=["lager"], external=[f"{tmp_path}/gpt.csv:rating"], scores=few)
    assert list(judged.judges) == ["lager", "rating"]
    assert judged.judges["rating"].source == "external"
    assert judged.judges["rating"].folded is None
    assert np.isfinite(judged.judges["rating"].scores).sum() == 50


def test_judges_worth_it_where_none_is_named(cache, few):
    judged = read_judged_items(cache.path, scores=few)
    assert list(judged.judges) == ["e-score", "lager", "lager-tuned", "ridge"]
    assert judged.judges["lager-tuned"].folded.by_model.shape[0] == 5


def test_rows_are_taken_from_everything(judged):
    rows = judged.labelled & (judged.system == "writer1")
    taken = judged.take(rows)
    assert len(taken) == rows.sum() == len(taken.items) == len(taken.raters)
    np.testing.assert_array_equal(taken.judges["ridge"].scores, judged.judges["ridge"].scores[rows])
    np.testing.assert_array_equal(taken.judges["ridge"].folded.fold, judged.judges["ridge"].folded.fold[rows])
    assert set(taken.system) == {"writer1"}


def test_files_alone(tmp_path):
    rows = [
        {"id": f"a{i}", "score": [1 + i % 5, 2] if i % 2 else None, "system": "xy"[i % 2], "cluster": f"t{i // 3}"}
        for i in range(12)
    ]
    (tmp_path / "human.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "gpt.csv").write_text("id,rating\n" + "\n".join(f"a{i},{1 + i % 5}" for i in range(12)))
    judged = read_judged_items(scores=tmp_path / "human.jsonl", external=[f"{tmp_path}/gpt.csv:rating"], by=["system"])
    assert judged.labelled.tolist() == [bool(i % 2) for i in range(12)]
    assert judged.human[1] == 2.0
    assert list(judged.group) == list(judged.system) == list("xy" * 6)
    assert judged.raters[:2] == [[], [2.0, 2.0]]
    assert judged.scale is None


def test_an_aggregator_fitted_on_these_labels_is_refused(cache, tmp_path):
    save_aggregator(tmp_path / "ridge.json", train_on_cache(cache, strategy="ridge").record)
    with pytest.raises(LagerError, match=r"ridge was fitted on 59 of the labelled items here.*--strategy ridge"):
        read_judged_items(cache.path, aggregators=[tmp_path / "ridge.json"])


def test_an_aggregator_fitted_elsewhere_scores(cache, tmp_path):
    other = make_cache(tmp_path / "train", 40, seed=5, first=1000)
    save_aggregator(tmp_path / "ridge.json", train_on_cache(other, strategy="ridge").record)
    judged = read_judged_items(cache.path, aggregators=[tmp_path / "ridge.json"])
    assert [(name, one.source) for name, one in judged.judges.items()] == [("ridge", "aggregator")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give a CACHE, or --scores FILE and --external"),
        ({"folds": 3, "strategies": ["ridge"]}, "--strategy, --folds needs a CACHE"),
    ],
)
def test_without_a_cache_there_must_be_files(options, said):
    with pytest.raises(LagerError, match=said):
        read_judged_items(**options)


def test_a_scale_of_its_own_is_for_files(cache):
    with pytest.raises(LagerError, match="a cache has its own scale"):
        read_judged_items(cache.path, scale="1-5")


def test_nothing_is_fitted_where_labels_are_in_one_cluster(cache, tmp_path):
    rows = [i for i, text in enumerate(cache.column("cluster")) if text == "text1"]
    (tmp_path / "one.csv").write_text("id,score\n" + "\n".join(f"item{i},3" for i in rows))
    with pytest.raises(LagerError, match="no judge is left: ridge: left out, fitting by folds needs labels in two"):
        read_judged_items(cache.path, strategies=["ridge"], scores=tmp_path / "one.csv")


def test_a_cache_stays_as_it_is(cache, few):
    before = cache.content_hash
    read_judged_items(cache.path, strategies=["e-score"], scores=few)
    assert FeatureCache.open(cache.path).content_hash == before
