"""`lager calibrate`, and the intervals that scores have then."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.cli import main_or_raise
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.evaluate.score.calibrate import calibrate
from lager.evaluate.score.score_cache import score_cache
from lager.train.files.aggregator_file import load_aggregator, save_aggregator
from lager.train.training_run import train_on_cache
from support.caches import make_cache
from support.schemas import check_output


@pytest.fixture
def trained(tmp_path):
    save_aggregator(tmp_path / "a.json", train_on_cache(make_cache(tmp_path / "train", 60, seed=1)).record)
    return tmp_path / "a.json"


@pytest.fixture
def held_out(tmp_path):
    """Other items, which share no prompt with the training items."""
    return make_cache(tmp_path / "held-out", 200, seed=2, first=1000, clusters=40, invalid=frozenset({3}))


def test_scores_of_a_calibrated_aggregator_have_intervals_of_each_level(trained, held_out, tmp_path, capsys):
    main_or_raise(["calibrate", str(held_out.path), "--aggregator", str(trained), "--out", str(tmp_path / "b.json"),
                   "--level", "0.9", "--level", "0.8", "--json"])  # fmt: skip
    told = check_output("calibrate", capsys.readouterr().out)
    assert (told["n"], told["clusters"], [one["level"] for one in told["levels"]]) == (199, 40, [0.8, 0.9])
    half = {one["level"]: one["half_width"] for one in told["levels"]}
    assert 0 < half[0.8] < half[0.9]
    score_cache(held_out, tmp_path / "b.json", out=tmp_path / "s.parquet")
    table = pl.read_parquet(tmp_path / "s.parquet")
    assert table.columns[:6] == ["id", "score", "low_80", "high_80", "low_90", "high_90"]
    rows = table.filter("valid")
    np.testing.assert_allclose(rows["high_80"], np.minimum(rows["score"] + half[0.8], 5), atol=1e-12)
    np.testing.assert_allclose(rows["low_90"], np.maximum(rows["score"] - half[0.9], 1), atol=1e-12)
    assert table.row(3, named=True)["low_90"] is None
    inside = np.abs(rows["score"].to_numpy() - held_out.mean_scores[held_out.valid]) <= half[0.9]
    assert 0.85 < inside.mean() < 0.97


def test_one_level_gives_columns_low_and_high_and_the_scores_stay(trained, held_out, tmp_path):
    record = calibrate(load_aggregator(trained), held_out).record
    save_aggregator(tmp_path / "b.json", record)
    score_cache(held_out, trained, out=tmp_path / "plain.csv")
    score_cache(held_out, tmp_path / "b.json", out=tmp_path / "s.csv")
    plain, table = pl.read_csv(tmp_path / "plain.csv"), pl.read_csv(tmp_path / "s.csv")
    assert [name for name in table.columns if name not in plain.columns] == ["low", "high"]
    assert table.drop("low", "high").equals(plain)
    assert load_aggregator(tmp_path / "b.json").calibration == record.calibration


def test_rows_it_was_trained_on_are_refused(trained, tmp_path):
    with pytest.raises(LagerError, match=r"60 of 60 labelled items .* training items"):
        calibrate(load_aggregator(trained), FeatureCache.open(tmp_path / "train"))


def test_left_out_training_items_take_their_clusters_with_them(tmp_path):
    cache = make_cache(tmp_path / "all", 400, clusters=80)
    run = train_on_cache(cache, holdout=0.5)
    found = calibrate(run.record, cache, levels=[0.8], leave_out_training=True)
    assert found.record.calibration.n == 200
    assert found.record.calibration.n_clusters == 40
    # One training item in every cluster leaves nothing.
    one_each = [scores if row < 80 else [] for row, scores in enumerate(cache.items["scores"].to_list())]
    table = cache.items.with_columns(pl.Series("scores", one_each, dtype=pl.List(pl.Float64)))
    part = train_on_cache(replace(cache, items=table)).record
    with pytest.raises(LagerError, match="no item with a human score"):
        calibrate(part, cache, leave_out_training=True)


def test_too_few_clusters_and_no_labels_are_told(trained, tmp_path):
    few = make_cache(tmp_path / "few", 100, first=1000, clusters=8)
    with pytest.raises(LagerError, match="takes at least 9 clusters"):
        calibrate(load_aggregator(trained), few)


def test_intervals_are_left_out_on_another_scale_and_doubted_on_other_prompts(trained, held_out, tmp_path):
    record = calibrate(load_aggregator(trained), held_out).record
    save_aggregator(tmp_path / "b.json", record)
    other = make_cache(tmp_path / "other", 20, first=3000, template="another")
    notes = score_cache(other, tmp_path / "b.json", out=tmp_path / "s.csv").notes
    assert any("coverage is not known" in note for note in notes)
    assert "low" in pl.read_csv(tmp_path / "s.csv").columns


def test_items_of_a_private_training_set_are_not_recognised_elsewhere_and_that_is_told(held_out, tmp_path):
    run = train_on_cache(make_cache(tmp_path / "secret", 60, private=True))
    save_aggregator(tmp_path / "a.json", run.record)
    record = load_aggregator(tmp_path / "a.json")
    assert record.private
    assert any("not recognised here" in note for note in calibrate(record, held_out).notes)
    other = make_cache(tmp_path / "other-secret", 60, first=500, clusters=20, private=True)
    assert not any("not recognised" in note for note in calibrate(record, other).notes)


def test_an_aggregator_whose_numbers_are_no_scores_is_refused(held_out, tmp_path):
    lengths = train_on_cache(make_cache(tmp_path / "t", 20), strategy="length").record
    with pytest.raises(LagerError, match="the aggregator is length, whose numbers are no scores on the scale 1-5"):
        calibrate(lengths, held_out)
    means = train_on_cache(make_cache(tmp_path / "u", 20), strategy="group-mean").record
    assert calibrate(means, held_out).record.calibration is not None  # a score, and a baseline for widths


def test_items_of_no_group_that_was_learnt_are_left_out(held_out, tmp_path):
    record = train_on_cache(make_cache(tmp_path / "t", 60, seed=1), strategy="ridge").record
    groups = [None if i < 50 else f"criterion{i % 2}" for i in range(200)]
    table = held_out.items.with_columns(pl.Series("group", groups, dtype=pl.String))
    found = calibrate(record, replace(held_out, items=table))
    assert found.record.calibration.n == 150
    assert "49 items are left out, as they are in no group that the aggregator learnt" in found.notes
    with pytest.raises(LagerError, match=r"no labelled item of cache .* is in a group that the aggregator learnt"):
        calibrate(record, replace(held_out, items=table.with_columns(pl.lit("style").alias("group"))))
