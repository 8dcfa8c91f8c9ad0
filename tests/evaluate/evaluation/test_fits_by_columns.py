"""`lager evaluate --by COLUMNS`: what is fitted there is fitted for the groups that figures are means over."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.evaluate.agreement.grouping import regrouped
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.evaluation.doubt import doubts_of
from lager.train.files.aggregator_file import save_aggregator
from lager.train.training_run import train_on_cache
from support.caches import make_cache


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("by")
    return make_cache(folder / "a", 80, invalid=frozenset([3])), make_cache(folder / "b", 60, seed=2, first=100)


def figures(found, name="ridge"):
    return {metric: one.estimate for metric, one in found.agreement[name].metrics.items()}


@pytest.mark.parametrize("source", ["folds", "train"])
def test_fits_follow_by_as_if_its_groups_were_declared(caches, source):
    cache, train = caches
    names = ["ridge", "lager-tuned", "group-mean"]
    where = {"folds": 3} if source == "folds" else {"train": train}
    found = evaluate_cache(cache, names, by=["system"], resamples=0, **where)
    declared = {"folds": 3} if source == "folds" else {"train": regrouped(train, ["system"])}
    same = evaluate_cache(regrouped(cache, ["system"]), names, resamples=0, **declared)
    for name in names:
        np.testing.assert_array_equal(*(next(s.scores for s in one.scored if s.name == name) for one in (found, same)))
        assert figures(found, name) == figures(same, name)
    learnt = found.aggregators["ridge"][0].parameters["group_intercepts"]
    assert sorted(learnt) == ["writer0", "writer1", "writer2", "writer3"]
    rows = np.flatnonzero(cache.valid & np.isfinite(cache.mean_scores))
    doubts = [doubts_of(one, rows)["lager-tuned"]["sd"] for one in (found, same)]
    np.testing.assert_array_equal(*doubts)


def test_files_keep_to_the_groups_that_they_learnt(caches, tmp_path):
    cache, train = caches
    save_aggregator(tmp_path / "a.json", train_on_cache(train, strategy="ridge").record)
    plain = evaluate_cache(cache, ["ridge"], aggregators=[tmp_path / "a.json"], resamples=0)
    by = evaluate_cache(cache, ["ridge"], aggregators=[tmp_path / "a.json"], by=["system"], resamples=0)
    np.testing.assert_array_equal(plain.scored[0].scores, by.scored[0].scores)
    assert not any("intercept" in note for note in by.notes)


def test_a_training_cache_without_the_column_says_for_what_is_fitted(caches):
    cache, train = caches
    lacking = replace(train, items=train.items.with_columns(pl.lit(None, dtype=pl.String).alias("system")))
    found = evaluate_cache(cache, ["ridge"], train=lacking, by=["system"], resamples=0)
    assert any(
        "has no column system, so what is fitted there is fitted for its own groups" in one for one in found.notes
    )
    plain = evaluate_cache(cache, ["ridge"], train=train, resamples=0)
    np.testing.assert_array_equal(found.scored[0].scores, plain.scored[0].scores)
