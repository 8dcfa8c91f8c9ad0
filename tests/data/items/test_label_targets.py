"""Annotators' scores as distributions over the labels."""

import numpy as np
import polars as pl
import pytest
from lager.data.items.item_table import flat_scores
from lager.data.items.label_targets import annotator_targets, split_between_labels
from support.caches import make_cache

VALUES = np.arange(1.0, 6.0)


def flat(scores: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    return flat_scores(pl.Series(scores, dtype=pl.List(pl.Float64)))


def test_each_annotator_counts_for_what_they_said() -> None:
    targets = annotator_targets(*flat([[1, 5], [3, 3, 4], [2.5], []]), VALUES)
    np.testing.assert_allclose(targets[0], [0.5, 0, 0, 0, 0.5])
    np.testing.assert_allclose(targets[1], [0, 0, 2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(targets[2], [0, 0.5, 0.5, 0, 0])
    assert np.isnan(targets[3]).all()


def test_single_scores_say_no_more_than_their_mean() -> None:
    assert annotator_targets(*flat([[1], [], [4.5]]), VALUES) is None
    assert annotator_targets(*flat([]), VALUES) is None


def test_an_annotator_off_the_scale_leaves_the_item_without_a_distribution() -> None:
    targets = annotator_targets(*flat([[1, 9], [2, 3]]), VALUES)
    assert np.isnan(targets[0]).all()
    assert np.isfinite(targets[1]).all()


def test_the_mean_of_a_distribution_is_the_mean_score_in_any_label_order() -> None:
    values = np.array([4.0, 0.0, 10.0])
    scores = np.random.default_rng(0).uniform(0, 10, size=(50, 3))
    np.testing.assert_allclose(annotator_targets(*flat(scores.tolist()), values) @ values, scores.mean(axis=1))
    np.testing.assert_allclose(split_between_labels(scores[0], values).sum(axis=0), 1.0)


def test_a_cache_with_several_annotators_gives_their_distribution(tmp_path) -> None:
    cache = make_cache(tmp_path / "c", 20, invalid=frozenset([3]))
    readouts = cache.readouts()
    assert readouts.target.shape == (19, 5)
    np.testing.assert_allclose(readouts.target @ VALUES, readouts.human)
    assert readouts.target[0].max() == pytest.approx(max(map(cache.scores[0].count, cache.scores[0])) / 3)
