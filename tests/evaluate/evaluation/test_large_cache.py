"""An evaluation of read-outs that stay on disk is the one of the same in memory."""

import json
from pathlib import Path

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.evaluate.evaluation import layer_curve as curves
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.evaluation.layer_curve import depth_curve, layer_curve
from lager.evaluate.report.score_figures import occupied_cells
from lager.train.files.aggregator_file import save_aggregator
from lager.train.training_run import train_on_cache
from support.caches import make_cache

NAMES = ("vscore", "e-score", "lager", "lager-tuned", "prob-tuned", "prob-max", "best-layer", "group-mean", "length")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    make_cache(folder / "train", 90, shard_size=8, seed=1, invalid=frozenset({4}))
    make_cache(folder / "test", 120, shard_size=16, invalid=frozenset({0, 77}))
    return folder


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cache counts as large, and a pass takes blocks that do not divide it."""
    for name in ("feature_cache", "stored_readouts"):
        monkeypatch.setattr(f"lager.data.cache.{name}.KEPT_ON_DISK_ABOVE", 0)
    monkeypatch.setattr("lager.data.cache.readouts.BLOCK_ROWS", 37)
    monkeypatch.setattr("lager.train.solvers.streamed_loss._BLOCK_ITEMS", 19)
    monkeypatch.setattr(curves, "_SCORES_AT_ONCE", 2 * 120)
    monkeypatch.setenv("LAGER_MEMORY", "1kB")


def opened(folders: Path, name: str) -> FeatureCache:
    return FeatureCache.open(folders / name)


def evaluated(folders: Path, **options: object) -> dict:
    train = {"train": opened(folders, "train")} if options.pop("trained", False) else {}
    result = evaluate_cache(opened(folders, "test"), NAMES, resamples=20, **train, **options).as_json()
    return json.loads(json.dumps(result))


def assert_close(mine: object, other: object) -> None:
    if isinstance(mine, dict):
        assert mine.keys() == other.keys()
        for key in mine:
            assert_close(mine[key], other[key])
    elif isinstance(mine, list):
        assert len(mine) == len(other)
        for one, two in zip(mine, other, strict=True):
            assert_close(one, two)
    else:
        assert mine == (pytest.approx(other, abs=1e-6) if isinstance(other, float) else other)


@pytest.mark.parametrize("options", [{"trained": True, "threshold_range": "train"}, {"folds": 3}, {}])
def test_figures_are_those_of_the_cache_in_memory(folders: Path, options: dict, request: pytest.FixtureRequest) -> None:
    usual = evaluated(folders, **options)
    request.getfixturevalue("on_disk")
    assert_close(evaluated(folders, **options), usual)


def test_progress_goes_from_block_to_block(folders: Path, on_disk: None) -> None:
    told: list[tuple[str, float]] = []
    evaluate_cache(
        opened(folders, "test"), ["lager"], resamples=0, progress=lambda what, done: told.append((what, done))
    )
    assert [what for what, _ in told[:4]] == ["scoring"] * 4  # 118 valid items in blocks of 37
    assert [done for _, done in told[:4]] == pytest.approx([37 / 118, 74 / 118, 111 / 118, 1.0])


def test_aggregator_files_see_their_training_rows(folders: Path, tmp_path: Path, on_disk: None) -> None:
    record = train_on_cache(opened(folders, "test"), limit=50).record
    save_aggregator(tmp_path / "a.json", record)
    found = evaluate_cache(opened(folders, "test"), ["lager-tuned"], aggregators=[tmp_path / "a.json"], resamples=0)
    assert found.scored[0].in_sample == record.aggregator.training["n"] > 30


def test_what_needs_memory_is_skipped_with_how_much(folders: Path, on_disk: None) -> None:
    result = evaluate_cache(
        opened(folders, "test"), ["lager", "ridge", "lager-shrunk"], train=opened(folders, "train"), resamples=0
    )
    assert [one.name for one in result.scored] == ["lager"]
    assert "read-outs of all 89 items in memory" in result.skipped["ridge"]
    assert "--limit" in result.skipped["lager-shrunk"]


@pytest.mark.parametrize("curve", [layer_curve, depth_curve])
def test_curves_over_layers_do_not_depend_on_how_many_are_scored_at_once(
    folders: Path, request: pytest.FixtureRequest, curve
) -> None:
    whole = curve(opened(folders, "test"), level="pooled")
    request.getfixturevalue("on_disk")
    assert curve(opened(folders, "test"), level="pooled") == pytest.approx(whole, abs=1e-12)
    assert len(whole) == 5


def test_score_mass_and_keys_come_in_blocks(folders: Path, request: pytest.FixtureRequest) -> None:
    cache = opened(folders, "test")
    mass, keys = cache.score_mass, cache.prompt_keys()
    request.getfixturevalue("on_disk")
    again = opened(folders, "test")
    np.testing.assert_array_equal(again.score_mass, mass)
    np.testing.assert_array_equal(again.prompt_keys(), keys)
    first = int.from_bytes(cache.prompt_sha256[0, :8].tobytes(), "big")
    assert int(keys[0]) == first


def test_dots_of_a_figure_count_every_item() -> None:
    rng = np.random.default_rng(0)
    human, scores = rng.integers(1, 6, size=500).astype(float), rng.uniform(-3, 9, size=500)
    x, y, counts = occupied_cells(scores, human, low=1.0, width=0.5)
    assert counts.sum() == 500
    assert len(set(zip(x.tolist(), y.tolist(), strict=True))) == len(counts)
    assert counts[(x == 3.0) & (y == 2.0)].sum() == ((np.round((scores - 1) / 0.5) == 4) & (human == 2)).sum()
