"""`lager calibrate --folds`: scores and intervals from one labelled set."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.cli import main_or_raise
from lager.data.errors import LagerError
from lager.data.files.canonical import seal
from lager.data.scale import Scale
from lager.evaluate.score.cross_calibrate import cross_calibrate
from lager.evaluate.score.score_cache import score_cache
from lager.train.aggregator.cross_conformal import CrossCalibration
from lager.train.files.aggregator_file import load_aggregator, save_aggregator
from lager.train.solvers.folds import cluster_folds
from lager.train.strategies.fit import fit_strategy
from support.caches import make_cache

SCALE = Scale.parse("1-5")


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cross")
    return make_cache(folder / "a", 200, clusters=40), make_cache(folder / "b", 60, first=1000, seed=2, clusters=12)


@pytest.mark.parametrize("strategy", ["ridge", "lager-tuned"])
def test_the_file_holds_every_model_and_scores_are_their_mean(caches, tmp_path, strategy):
    labelled, new = caches
    save_aggregator(tmp_path / "a.json", cross_calibrate(labelled, strategy=strategy, folds=4).record)
    loaded, readouts = load_aggregator(tmp_path / "a.json"), labelled.readouts()
    folds = cluster_folds(readouts.cluster, len(readouts), 4, 42)
    models = [fit_strategy(strategy, readouts.take(fold.train)) for fold in folds]
    score_cache(new, tmp_path / "a.json", out=tmp_path / "s.parquet")
    table = pl.read_parquet(tmp_path / "s.parquet")
    of_models = np.array([one.predict(new.readouts()) for one in models])
    np.testing.assert_allclose(table["score"], of_models.mean(axis=0), atol=1e-9)
    ends = [
        np.sort(np.concatenate([
            own + sign * np.abs(model.predict(readouts.take(fold.test)) - readouts.human[fold.test])
            for own, model, fold in zip(of_models[:, 7], models, folds, strict=True)
        ]))
        for sign in (1, -1)
    ]  # fmt: skip
    rank = int(np.ceil(0.9 * (200 + 5)))
    assert table["high"][7] == pytest.approx(min(ends[0][rank - 1], 5), abs=1e-9)
    assert table["low"][7] == pytest.approx(max(ends[1][200 - rank], 1), abs=1e-9)
    assert json.loads((tmp_path / "a.json").read_text())["format_version"] == 3
    assert loaded.calibration.n == 200


def test_the_command_fits_and_calibrates_and_says_by_how_many_models(caches, tmp_path, capsys):
    arguments = ["calibrate", str(caches[0].path), "--folds", "5", "--level", "0.8", "--level", "0.9"]
    main_or_raise([*arguments, "--strategy", "ridge", "--out", str(tmp_path / "a.json"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["clusters"], told["folds"]) == (200, 40, 5)
    main_or_raise([*arguments, "--out", str(tmp_path / "b.json")])
    assert "by 5 models that are fitted without a fold each" in capsys.readouterr().out
    for wrong in ([], ["--folds", "5", "--aggregator", "a.json"]):
        with pytest.raises(LagerError, match="give --aggregator FILE to calibrate it on other items, or --folds N"):
            main_or_raise(["calibrate", str(caches[0].path), *wrong, "--out", str(tmp_path / "c.json")])
    with pytest.raises(LagerError, match="leave them out with --folds"):
        main_or_raise([*arguments, "--force", "--out", str(tmp_path / "c.json")])


def test_groups_that_a_model_lacks_have_no_interval(caches, tmp_path):
    labelled, new = caches
    save_aggregator(tmp_path / "a.json", cross_calibrate(labelled, strategy="ridge").record)
    other = replace(new, items=new.items.with_columns(pl.col("group").replace("criterion1", "style")))
    notes = score_cache(other, tmp_path / "a.json", out=tmp_path / "s.parquet").notes
    assert any("30 of 60 items are in none of these" in note for note in notes)
    table = pl.read_parquet(tmp_path / "s.parquet")
    assert table["low"].is_null().to_list() == [row % 2 == 1 for row in range(60)]


@pytest.mark.parametrize(("strategy", "message"), [("lager", "of a strategy that is fitted"), ("group-mean", None)])
def test_what_has_no_fit_is_refused(caches, strategy, message):
    if message is None:
        assert cross_calibrate(caches[0], strategy=strategy).record.calibration.n == 200
        return
    with pytest.raises(LagerError, match=message):
        cross_calibrate(caches[0], strategy=strategy)


@pytest.mark.parametrize(
    "change",
    [
        {"levels": [1.0]}, {"levels": []}, {"errors": [[0.1]]}, {"errors": [[0.1], []] * 2}, {"errors": [[-1.0]] * 5},
        {"n_clusters": 0}, {"n_clusters": 2}, {"fingerprint": 3}, {"other": 1}, {"errors": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_file_with_wrong_errors_is_refused(caches, tmp_path, change):
    save_aggregator(tmp_path / "a.json", cross_calibrate(caches[0], strategy="ridge").record)
    content = json.loads((tmp_path / "a.json").read_text())
    content["calibration"] |= change
    (tmp_path / "a.json").write_text(json.dumps(seal(content)))
    with pytest.raises(LagerError, match=r"calibration|takes at least"):
        load_aggregator(tmp_path / "a.json")


def test_new_items_are_held_as_often_as_stated():
    """Twenty texts of five; the model is the mean of the labels, and its errors are alike within a text."""
    held = []
    for number in range(150):
        rng = np.random.default_rng(number)
        human = (rng.normal(size=(30, 1)) + rng.normal(size=(30, 5))).clip(-4, 4) * 0.4 + 3
        fold = np.arange(20) % 5
        means = np.array([human[:20][fold != one].mean() for one in range(5)])
        errors = tuple(tuple(np.sort(np.abs(human[:20][fold == one] - means[one]).ravel())) for one in range(5))
        found = CrossCalibration((0.8,), errors, SCALE, 20, "r", "f", "i")
        of_models = np.tile(means[:, None], (1, 50))
        low, high = found.intervals(of_models.mean(axis=0), of_models)[0.8]
        held.append(((low <= human[20:].ravel()) & (human[20:].ravel() <= high)).mean())
    assert 0.8 <= np.mean(held) < 0.88
