"""Ways of computing that only many items take give what the others give."""

import numpy as np
import polars as pl
import pytest
from lager.data.scale import Scale
from lager.evaluate.agreement import item_level
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.weighted import cluster_pairs, pair_splits
from lager.evaluate.weighted.cluster_pairs import ClusterPairs
from lager.evaluate.weighted.labels import Labels
from lager.evaluate.weighted.pair_splits import class_balance as balance
from lager.evaluate.weighted.pairing import Pairing
from lager.evaluate.weighted.ranking import Ranking
from lager.evaluate.weighted.segments import Segments

SEGMENTS = Segments(np.array([0, 40, 41, 43]), 120)


def sides(seed: int, *, labels: int) -> tuple[Ranking, Ranking]:
    """Scores with and without ties; the last segment's human scores are constant."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=120) if seed % 2 else rng.integers(0, 6, size=120).astype(float)
    human = rng.integers(0, labels, size=120).astype(float)
    human[43:] = human[43] if seed % 3 == 0 else human[43:]
    return Ranking(score, SEGMENTS), Ranking(human, SEGMENTS)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("labels", [2, 5, 40])
def test_pairs_by_class_are_those_by_splits(seed: int, labels: int) -> None:
    pairing = Pairing(*sides(seed, labels=labels))
    for weights in (np.ones(120), np.random.default_rng(seed).integers(0, 4, size=120).astype(float)):
        by_splits = np.zeros(4)
        for split in pairing.splits:
            by_splits[split.present] += split.concordance(weights[:, None])[:, 0]
        np.testing.assert_array_equal(balance(pairing.score, pairing.human, weights), by_splits)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_clusters", [1, 5, 60, 120])
def test_listed_pairs_of_clusters_are_those_by_splits(
    seed: int, n_clusters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    score, human = sides(seed, labels=5)
    cluster = np.random.default_rng(seed).integers(0, n_clusters, size=120)
    listed = ClusterPairs(cluster, human).balance(score)
    monkeypatch.setattr(cluster_pairs, "_PAIRS_FOR_EACH", 0)
    split = ClusterPairs(cluster, human).balance(score)
    for mine, theirs in zip(listed, split, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("metrics", [("kendall", "pairwise_accuracy", "spearman", "wasserstein"), ("all",)])
def test_figures_do_not_depend_on_what_is_kept_or_how_pairs_are_counted(
    metrics: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    human = rng.integers(3, 16, size=200) / 3
    scores = {"fine": human + rng.normal(size=200), "coarse": np.round(human + rng.normal(size=200)).clip(1, 5)}
    options = {
        "group": (np.arange(200) % 3).astype(str).astype(object),
        "cluster": (np.arange(200) // 7).astype(str).astype(object),
        "scale": Scale.parse("1-5"),
        "metrics": metrics,
        "resamples": 20,
    }
    usual = evaluate_scores(human, scores, **options).as_json()
    monkeypatch.setattr(item_level, "_KEPT_ITEMS", 0)
    monkeypatch.setattr(pair_splits, "MOST_CLASSES", 0)
    assert evaluate_scores(human, scores, **options).as_json() == usual


def test_labels_are_in_the_order_of_their_text_and_none_is_left_out() -> None:
    labels = Labels.of(["b", None, "a", "é", "b", "Z"])
    assert labels.names.to_list() == ["Z", "a", "b", "é"]
    assert labels.codes.tolist() == [2, -1, 1, 3, 2, 0]
    assert labels.segments()[0] == ("(none)", "Z", "a", "b", "é")
    assert labels.segments()[1].tolist() == [3, 0, 2, 4, 3, 1]
    assert labels.clusters()[0] == 5
    some = labels.take(np.array([True, True, False, False, True, True]))
    assert some.names.to_list() == ["Z", "b"]
    assert some.codes.tolist() == [1, -1, 1, 0]
    assert Labels.of([10, 9, None]).names.to_list() == ["10", "9"]
    for column in ([1.0, float("nan"), None], np.array([1.0, np.nan, np.nan]), pl.Series([1.0, float("nan"), None])):
        labels = Labels.of(column)
        assert (labels.names.to_list(), labels.codes.tolist()) == (["1"], [0, -1, -1])
    assert Labels.of(pl.Series(["y", None, "x"])).codes.tolist() == [1, -1, 0]
    assert Labels.of([None, None]).segments()[0] == ("(none)",)


def test_one_text_of_a_column_is_one_object() -> None:
    from lager.data.items.item_table import object_column

    items = pl.DataFrame({"group": ["a" * 40, None, "a" * 40]})
    column = object_column(items, "group")
    assert column[0] is column[2]
    assert column.tolist() == items["group"].to_list()
