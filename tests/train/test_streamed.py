"""Fits to read-outs on disk equal fits to the same in memory."""

import gc
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lager.data.cache import FeatureCache
from lager.data.errors import LagerError
from lager.train.layer_weights import converged_loss
from lager.train.predictions import predict_all
from lager.train.strategies import fit_strategy, streams, untrained, why_not
from lager.train.streamed import streamed_loss
from lager.train.training_run import train_on_cache
from support.caches import make_cache

N = 300


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return make_cache(tmp_path_factory.mktemp("streamed") / "c", N, shard_size=16, invalid=frozenset({5, 250}))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that do not divide the items, and nothing that counts as small."""
    monkeypatch.setattr("lager.train.streamed._BLOCK_ITEMS", 23)
    monkeypatch.setattr("lager.data.row_blocks.BLOCK_ROWS", 37)
    monkeypatch.setattr("lager.data.stored_readouts.KEPT_ON_DISK_ABOVE", 0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("annotators", [False, True])
def test_loss_and_gradient_equal_those_in_memory(
    cache: FeatureCache, small_blocks: None, weighted: bool, annotators: bool
) -> None:
    stored, kept = cache.readouts(keep_on_disk=True), cache.readouts()
    rng = np.random.default_rng(0)
    options = {
        "scale": kept.scale,
        "weight": rng.integers(0, 3, size=len(kept)).astype(float) if weighted else None,
        "target": kept.target if annotators else None,
    }
    whole = converged_loss(kept.logits, kept.human, **options)
    with streamed_loss(stored.logits, stored.human, **options) as loss:
        np.testing.assert_allclose(loss.sizes(), whole.sizes(), rtol=1e-7)
        for _ in range(3):
            weights = rng.normal(size=5)
            value, gradient = loss(weights)
            expected, slope = whole(weights)
            assert value == pytest.approx(expected, rel=1e-7)
            np.testing.assert_allclose(gradient, slope, atol=1e-7)


@pytest.mark.parametrize(
    "name", ["lager-tuned", "lager-tuned+normed+no-last", "lager-tuned+free", "prob-tuned-max", "best-layer", "group-mean"]
)
def test_a_fit_to_readouts_on_disk_equals_the_one_in_memory(
    cache: FeatureCache, small_blocks: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kept = fit_strategy(name, cache.readouts())
    monkeypatch.setenv("LAGER_MEMORY", "1")
    monkeypatch.setattr("lager.train.best_layer._SCORES_AT_ONCE", 2 * N)
    assert streams(name)
    stored = fit_strategy(name, cache.readouts(keep_on_disk=True))
    assert stored.parameters == pytest.approx(kept.parameters)
    if kept.weights is not None:
        np.testing.assert_allclose(stored.weights, kept.weights, atol=1e-6)
    if "loss" in kept.training:
        assert stored.training["loss"] == pytest.approx(kept.training["loss"], abs=1e-7)


@pytest.mark.parametrize("name", ["ridge", "lager-shrunk", "isotonic:e-score", "lager-rank", "lager-early"])
def test_what_needs_all_in_memory_is_fitted_there_or_refused(
    cache: FeatureCache, small_blocks: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stored = cache.readouts(keep_on_disk=True)
    assert fit_strategy(name, stored).as_json() == fit_strategy(name, cache.readouts()).as_json()
    monkeypatch.setenv("LAGER_MEMORY", "10kB")
    with pytest.raises(LagerError, match=f"{name} needs the read-outs of all 298 items in memory.*--limit"):
        fit_strategy(name, stored)
    assert "in memory" in why_not(name, stored)
    assert why_not("lager-tuned", stored) is None
    assert "in memory" in why_not("lager-tuned", stored, "paper")


def test_a_drawn_part_of_a_large_cache_is_fitted_in_memory(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_on_cache(cache, strategy="ridge", limit=100, holdout=0.3).record
    monkeypatch.setattr("lager.data.cache.KEPT_ON_DISK_ABOVE", 0)
    monkeypatch.setenv("LAGER_MEMORY", "10kB")
    part = train_on_cache(FeatureCache.open(cache.path), strategy="ridge", limit=100, holdout=0.3).record
    assert part.aggregator.as_json() == whole.aggregator.as_json()
    assert part.training_rows == whole.training_rows


def test_scores_from_blocks_are_those_in_memory(cache: FeatureCache, small_blocks: None) -> None:
    kept = cache.readouts()
    aggregators = {
        name: untrained(name, n_layers=4, scale=cache.scale)
        for name in ("vscore", "e-score", "lager", "prob-max", "layer:2", "length")
    }
    aggregators["ridge"] = fit_strategy("ridge", kept)
    for name, scores in predict_all(aggregators, cache.readouts(keep_on_disk=True)).items():
        np.testing.assert_allclose(scores, aggregators[name].predict(kept), rtol=1e-14)


def test_a_readout_that_is_not_finite_is_refused_and_leaves_no_file(
    cache: FeatureCache, small_blocks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stored = cache.readouts(keep_on_disk=True)
    wrong = replace(stored.logits, rows=np.append(stored.logits.rows[:-1], 5))  # row 5 is not valid
    with pytest.raises(LagerError, match="1 of 298 items have read-outs that are not finite"):
        streamed_loss(wrong, stored.human, scale=stored.scale)
    gc.collect()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_temporary_folder_is_named(
    cache: FeatureCache, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb", buffering=0))
    stored = cache.readouts(keep_on_disk=True)
    with pytest.raises(LagerError, match="no room for a working copy.*TMPDIR.*--limit"):
        streamed_loss(stored.logits, stored.human, scale=stored.scale)


MEMORY = """
import json, resource, sys
import lager.data.stored_readouts as stored
import lager.data.cache as cache
cache.KEPT_ON_DISK_ABOVE = stored.KEPT_ON_DISK_ABOVE = int(sys.argv[2])
from lager.train.training_run import train_on_cache
opened = cache.FeatureCache.open(sys.argv[1])
import scipy.optimize
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
weights = train_on_cache(opened).record.aggregator.weights
print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, weights]))
"""


def test_memory_of_a_streamed_fit_does_not_hold_the_readouts(tmp_path: Path) -> None:
    n = 60_000  # 2 read-outs of 6 MB, float64 copies of 12 MB each
    make_many(tmp_path / "c", n)

    def fitted(kept_on_disk_above: int) -> tuple[int, list[float]]:
        command = [sys.executable, "-c", MEMORY, str(tmp_path / "c"), str(kept_on_disk_above)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
        return json.loads(done.stdout)

    (streamed, weights), (in_memory, expected) = fitted(0), fitted(1 << 40)
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    assert streamed < in_memory / 2
