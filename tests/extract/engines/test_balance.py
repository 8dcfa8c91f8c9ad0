"""Workers end at about the same time: by simulation with the real order of work, for few of them and for many."""

import importlib
import sys

import numpy as np
import pytest
from lager.data.open_items import load_items
from lager.data.run.shard_size import MOST_SHARDS, shard_advice, suggested_shard_size
from lager.extract.workers.deal import shard_costs


@pytest.fixture(scope="module")
def balance(repository):
    sys.path.insert(0, str(repository / "benchmarks" / "timings"))
    try:
        yield importlib.import_module("balance")
    finally:
        sys.path.remove(str(repository / "benchmarks" / "timings"))


@pytest.mark.shared
def test_on_summeval_the_last_of_eight_workers_ends_within_15_percent_of_the_mean(balance, shared):
    items = load_items(f"benchmark:summeval={shared / 'data' / 'summeval.jsonl'}")
    vocabulary: dict[str, int] = {}
    prompts = [
        np.array(
            [vocabulary.setdefault(word, len(vocabulary)) for word in " ".join(fields.values()).split()] + [0] * 20
        )
        for fields in items.fields
    ]
    size = suggested_shard_size(len(items))
    seconds = (
        balance.planned_costs(prompts, size) * 3e-3
    )  # what a token took on one core: benchmarks/timings/balance.py
    costs = shard_costs(items.fields, n_items=len(items), shard_size=size, share_prefixes=True)
    assert balance.balance(balance.simulate(costs, seconds, n_workers=8))["last_over_mean"] < 1.15
    assert balance.balance(balance.simulate(costs, seconds, n_workers=8, take_over=False))["last_over_mean"] < 1.15


def test_slow_workers_and_dead_ones_are_made_up_for_when_shards_are_taken_over(balance):
    rng = np.random.default_rng(0)
    seconds = rng.uniform(8, 12, 2000)
    speeds = np.ones(100)
    speeds[:3] = 0.5
    dealt = balance.simulate([1] * 2000, seconds, n_workers=100, speeds=speeds, take_over=False)
    taken = balance.simulate([1] * 2000, seconds, n_workers=100, speeds=speeds)
    died = balance.simulate([1] * 2000, seconds, n_workers=100, speeds=speeds, dies_at={5: 30.0, 6: 60.0})
    assert dealt.max() > 1.9 * dealt.mean()
    assert taken.max() < 1.1 * taken.mean()
    assert died.max() < 1.15 * taken.mean() + 60
    assert np.isclose((taken * speeds).sum(), seconds.sum(), rtol=0.01)


def test_shards_are_small_for_few_items_and_few_for_many():
    sizes = {n: suggested_shard_size(n) for n in (1, 6400, 100_000, 10_000_000, 10**8, 10**9)}
    assert sizes[6400] == 64
    assert sizes[100_000] == 512
    assert all(n / size <= MOST_SHARDS for n, size in sizes.items())
    assert list(sizes.values()) == sorted(sizes.values())


def test_too_many_shards_for_a_folder_and_too_few_for_the_workers_are_told():
    assert shard_advice(6400, 100, n_workers=100) is None
    assert "4 have nothing to read" in shard_advice(640, 10, n_workers=14)
    assert "--shard-size 2048" in shard_advice(10**8, 195_313, n_workers=8)
