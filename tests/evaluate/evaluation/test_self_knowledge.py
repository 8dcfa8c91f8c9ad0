"""Which questions cannot be answered: F1 at a threshold on the judge's own range of scores."""

import json

import numpy as np
import pytest
from lager.cli import main
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.train.strategies.fit import untrained
from sklearn.metrics import f1_score
from support.caches import make_cache

YES_NO = ("f1", "precision", "recall", "auroc")


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("caches")
    return make_cache(folder / "train", 60, seed=0), make_cache(folder / "test", 80, seed=1)


def scores(cache, name="lager"):
    return untrained(name, n_layers=cache.n_layers, scale=cache.scale, preset="converged").predict(cache.readouts())


def test_the_threshold_is_a_share_of_the_range_asked_for(caches):
    train, test = caches
    of = {"train": scores(train), "scale": np.array([1.0, 5.0]), "test": scores(test)}
    found, expected = {}, {}
    for source, values in of.items():
        evaluation = evaluate_cache(test, ["lager"], train=train, threshold=0.8, threshold_range=source, resamples=0)
        found[source] = evaluation.agreement["lager"].pooled["f1"].estimate
        bar = values.min() + 0.8 * np.ptp(values)
        expected[source] = f1_score(test.mean_scores >= 4.2, scores(test) >= bar)
        assert evaluation.about["threshold_range"] == source
    assert found == pytest.approx(expected)
    assert len(set(found.values())) == 3


def test_with_training_data_its_range_is_taken_unless_another_is_asked_for(caches):
    train, test = caches
    sources = [
        evaluate_cache(test, ["lager"], resamples=0, **options).about["threshold_range"]
        for options in ({"train": train}, {}, {"folds": 3})
    ]
    assert sources == ["train", "scale", "scale"]


def test_the_training_range_of_a_tuned_strategy_is_that_of_its_own_scores(caches):
    train, test = caches
    ranges = {
        source: evaluate_cache(test, ["lager-tuned"], train=train, threshold=0.8, threshold_range=source, resamples=0)
        for source in ("train", "scale")
    }
    one = ranges["train"].agreement["lager-tuned"].pooled
    (aggregator,) = ranges["train"].aggregators["lager-tuned"]
    on_train, on_test = aggregator.predict(train.readouts()), aggregator.predict(test.readouts())
    bar = on_train.min() + 0.8 * np.ptp(on_train)
    assert one["f1"].estimate == pytest.approx(f1_score(test.mean_scores >= 4.2, on_test >= bar))
    assert one["auroc"].estimate == ranges["scale"].agreement["lager-tuned"].pooled["auroc"].estimate


def test_a_judge_whose_scores_never_vary_keeps_the_scale():
    result = evaluate_scores(
        [9, 9, 1, 1],
        {"a": [7, 5, 6, 2], "b": [8, 8, 8, 8]},
        scale=Scale.parse("1-9"),
        ranges={"a": (2, 7)},
        resamples=0,
    )
    assert [result["a"].metrics[name].estimate for name in YES_NO] == [0.5, 0.5, 0.5, 0.75]
    assert [result["b"].metrics[name].estimate for name in YES_NO] == pytest.approx([2 / 3, 0.5, 1.0, 0.5])


def test_humans_who_say_only_yes_leave_no_area_under_a_curve():
    result = evaluate_scores([9, 9], {"a": [1, 2]}, scale=Scale.parse("1-9"), resamples=0)
    assert result["a"].metrics["auroc"].reason == "all human scores are on one side of the threshold"
    assert result["a"].metrics["precision"].reason == "no score reaches the threshold"
    assert result["a"].metrics["recall"].estimate == 0


def test_a_range_that_cannot_be_had_is_refused(caches):
    _, test = caches
    with pytest.raises(LagerError, match=r"needs the training data: give --train CACHE"):
        evaluate_cache(test, ["lager"], threshold_range="train", resamples=0)
    with pytest.raises(LagerError, match="choose from train, scale, test"):
        evaluate_cache(test, ["lager"], threshold_range="all", resamples=0)


def test_the_command_says_what_the_threshold_is_a_share_of(caches, capsys):
    train, test = (str(cache.path) for cache in caches)
    arguments = ["evaluate", test, "--train", train, "--strategy", "lager", "--metric", "f1", "--resamples", "0"]
    with pytest.raises(SystemExit):
        main([*arguments, "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (result["about"]["threshold"], result["about"]["threshold_range"]) == (0.75, "train")
    assert any("range of scores on the training data" in note for note in result["notes"])
    with pytest.raises(SystemExit):
        main([*arguments, "--threshold-range", "test"])
    assert "on these very items" in " ".join(capsys.readouterr().out.split())
