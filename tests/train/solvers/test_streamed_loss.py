"""Fits to read-outs on disk equal fits to the same in memory."""

import gc
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lager.cli import app
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shards import ShardData
from lager.data.errors import LagerError
from lager.data.items.items import TABLE_SCHEMA
from lager.data.run.cache_writer import CacheWriter
from lager.train.aggregator.predictions import predict_all
from lager.train.files.aggregator_file import load_aggregator
from lager.train.solvers.layer_weights import converged_loss
from lager.train.solvers.streamed_loss import streamed_loss
from lager.train.strategies.fit import fit_strategy, untrained, why_not
from lager.train.strategies.registry import lookup
from lager.train.training_run import train_on_cache
from support.caches import identity, make_cache
from typer.testing import CliRunner

N = 300


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return make_cache(tmp_path_factory.mktemp("streamed") / "c", N, shard_size=16, invalid=frozenset({5, 250}))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that do not divide the items, and nothing that counts as small."""
    monkeypatch.setattr("lager.train.solvers.streamed_loss._BLOCK_ITEMS", 23)
    monkeypatch.setattr("lager.data.cache.readouts.BLOCK_ROWS", 37)
    monkeypatch.setattr("lager.data.cache.stored_readouts.KEPT_ON_DISK_ABOVE", 0)


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
    "name",
    ["lager-tuned", "lager-tuned+normed+no-last", "lager-tuned+free", "prob-tuned-max", "best-layer", "group-mean"],
)
def test_a_fit_to_readouts_on_disk_equals_the_one_in_memory(
    cache: FeatureCache, small_blocks: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kept = fit_strategy(name, cache.readouts())
    monkeypatch.setenv("LAGER_MEMORY", "1")
    monkeypatch.setattr("lager.train.strategies.best_layer._SCORES_AT_ONCE", 2 * N)
    assert lookup(name).streams("converged")
    stored = fit_strategy(name, cache.readouts(keep_on_disk=True))
    by_group = [one.parameters.get("group_intercepts", {}) for one in (stored, kept)]
    assert list(by_group[0]) == list(by_group[1])
    np.testing.assert_allclose(list(by_group[0].values()), list(by_group[1].values()), atol=1e-6)
    without = [{k: v for k, v in one.parameters.items() if k != "group_intercepts"} for one in (stored, kept)]
    assert without[0] == without[1]
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
    monkeypatch.setattr("lager.data.cache.feature_cache.KEPT_ON_DISK_ABOVE", 0)
    monkeypatch.setenv("LAGER_MEMORY", "10kB")
    part = train_on_cache(FeatureCache.open(cache.path), strategy="ridge", limit=100, holdout=0.3).record
    assert part.aggregator.as_json() == whole.aggregator.as_json()
    assert part.training_rows == whole.training_rows


def test_the_command_says_that_the_items_stay_on_disk(
    cache: FeatureCache, small_blocks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lager.data.cache.feature_cache.KEPT_ON_DISK_ABOVE", 0)
    result = CliRunner().invoke(app, ["train", str(cache.path), "--out", str(tmp_path / "a.json")])
    assert result.exit_code == 0
    assert "its 300 items stay on disk" in result.stderr
    weights = load_aggregator(tmp_path / "a.json").aggregator.weights
    np.testing.assert_allclose(weights, fit_strategy("lager-tuned", cache.readouts()).weights, atol=1e-6)


def test_scores_from_blocks_are_those_in_memory(cache: FeatureCache, small_blocks: None) -> None:
    kept = cache.readouts()
    aggregators = {
        name: untrained(name, n_layers=4, scale=cache.scale)
        for name in ("vscore", "e-score", "lager", "prob-max", "layer:2", "length")
    }
    aggregators |= {name: fit_strategy(name, kept) for name in ("ridge", "lager-tuned", "lager-tuned-max")}
    aggregators |= {name: fit_strategy(name, kept) for name in ("prob-tuned", "lager-scaled", "lager-tuned+normed")}
    aggregators["release"] = untrained("prob", n_layers=4, scale=cache.scale, preset="release")
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
    stored = cache.readouts(keep_on_disk=True)
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115  closed by what opens temporary files
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    with pytest.raises(LagerError, match=r"no room for a working copy.*TMPDIR.*--limit"):
        streamed_loss(stored.logits, stored.human, scale=stored.scale)


MEMORY = """
import json, sys
from lager.data.cache import feature_cache as cache, readouts, stored_readouts as stored
cache.KEPT_ON_DISK_ABOVE = stored.KEPT_ON_DISK_ABOVE = int(sys.argv[2])
readouts.BLOCK_ROWS = 1024
from lager.train.training_run import train_on_cache
import scipy.optimize
def peak():  # in KiB; ru_maxrss would start from the parent's
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
opened = cache.FeatureCache.open(sys.argv[1])
before = peak()
weights = train_on_cache(opened).record.aggregator.weights
print(json.dumps([peak() - before, weights]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.slow
def test_memory_of_a_fit_from_disk_does_not_hold_the_readouts(tmp_path: Path) -> None:
    make_larger_cache(tmp_path / "c", 20_000)  # two read-outs of 13 MB

    def fitted(kept_on_disk_above: int) -> tuple[int, list[float]]:
        command = [sys.executable, "-c", MEMORY, str(tmp_path / "c"), str(kept_on_disk_above)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    (streamed, weights), (in_memory, expected) = fitted(0), fitted(1 << 40)
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    assert in_memory > 50_000  # KiB: what the comparison is worth
    assert streamed < in_memory / 2


def make_larger_cache(path: Path, n: int) -> None:
    """A cache of 33 x 5 read-outs of few bits, which compress well."""
    rng = np.random.default_rng(0)
    human = rng.integers(1, 6, size=n)
    logits = rng.integers(-4, 5, size=(n, 33, 5)).astype(np.float32)
    logits += (np.arange(1, 6) == human[:, None])[:, None] * rng.integers(0, 2, size=(33, 1))
    ids = [f"item{i}" for i in range(n)]
    table = {"item_id": ids, "scores": [[float(h)] for h in human], "group": None, "cluster": None, "system": None}
    items = pl.DataFrame(table, schema=TABLE_SCHEMA)
    writer = CacheWriter.start(path, identity=identity(), item_id=ids, shard_size=4096)
    for k in range(writer.n_shards):
        rows = slice(writer.rows(k).start, writer.rows(k).stop)
        size = rows.stop - rows.start
        shard = ShardData(
            item_id=ids[rows],
            prompt_sha256=rng.integers(0, 256, size=(size, 32)).astype(np.uint8),
            n_tokens=np.full(size, 9, np.int32),
            logits=logits[rows],
            logits_normed=logits[rows],
            logsumexp=np.zeros(size, np.float32),
            position=np.full(size, 8, np.int32),
            valid=np.ones(size, dtype=bool),
            reason=[""] * size,
        )
        writer.write(k, shard, items=items[rows])
    writer.finalize()
