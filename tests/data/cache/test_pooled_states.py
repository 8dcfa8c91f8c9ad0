"""Hidden states reach the strategies row by row, and only when they are asked for."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.run.cache_writer import CacheWriter
from lager.train.strategies.fit import fit_strategy
from support.caches import identity, make_cache, make_items, make_shard

N = 60


@pytest.fixture
def cache(tmp_path):
    """A cache whose hidden states at entry 2 know the human score; item 3 is not valid."""
    items = make_items(N)
    shard = make_shard(items, invalid=frozenset({3}))
    human = np.array([np.mean(scores) for scores in items.table["scores"].to_list()])
    states = np.random.default_rng(0).uniform(-1, 1, size=(N, 5, 6)).astype(np.float16)
    states[:, 2, 0] = human / 5
    states[3] = np.nan
    scales = np.where(shard.valid[:, None], 2.0, np.nan).repeat(5, axis=1).astype(np.float32)
    shard = replace(shard, optional={"hidden_last": states, "hidden_scale_last": scales})
    writer = CacheWriter.start(tmp_path / "c", identity=identity(), item_id=items.item_id)
    writer.write(0, shard, items=items.table)
    return writer.finalize()


def test_rows_of_hidden_states_follow_those_of_the_readouts(cache):
    readouts = cache.readouts()
    assert list(readouts.hidden) == ["last"]
    np.testing.assert_array_equal(readouts.hidden["last"], cache.hidden("last")[cache.valid])
    some = readouts.take(np.array([5, 0])).take(np.array([True, False]))
    np.testing.assert_array_equal(some.hidden["last"][0], cache.hidden("last")[6])
    assert "mean" not in readouts.hidden


def test_nothing_is_read_for_strategies_that_use_readouts_only(cache):
    fresh = FeatureCache.open(cache.path)
    fit_strategy("lager-tuned", fresh.readouts())
    assert not any(name.startswith("hidden") for name in fresh._columns)


def test_a_probe_finds_the_entry_that_knows(cache):
    readouts = cache.readouts()
    probe = fit_strategy("probe", readouts)
    assert probe.parameters["features"][0] == ["last", 2]
    assert np.corrcoef(probe.predict(readouts), readouts.human)[0, 1] > 0.95


def test_a_cache_without_hidden_states_has_none(tmp_path):
    assert not make_cache(tmp_path / "plain").readouts().hidden
