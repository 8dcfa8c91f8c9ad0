"""What early exit costs: the depth chosen on training folds, its price on the evaluated items."""

import json

import pytest
from lager.evaluate.agreement.difference import Difference
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.evaluation.early_exit import EarlyExit, early_exits
from lager.evaluate.report.outputs import write_outputs
from support.caches import make_cache


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("early")
    return make_cache(folder / "train", 60, seed=1), make_cache(folder / "test", 40, seed=2)


def evaluated(caches, strategies, **options):
    train, test = caches
    where = options if "folds" in options else {"train": train, **options}
    return evaluate_cache(test, strategies, resamples=200, **where)


def exit_with(low, high=0.1, **changes):
    return EarlyExit("lager-early", 3, 4, (0.1, 0.2), Difference(0.05, low, high, 0.5, 0.5, 40))._replace(**changes)


def test_the_difference_is_the_paired_one_against_e_score_on_the_test_items(caches):
    evaluation = evaluated(caches, ["e-score", "lager", "lager-early"], baseline="e-score")
    (one,) = early_exits(evaluation)
    aggregator = evaluation.aggregators["lager-early"][0]
    assert one.entry <= aggregator.parameters["last_entry"]
    assert one.training == tuple(aggregator.training["spearman_by_entry"])
    table = evaluation.agreement.comparison.differences["lager-early"]["spearman"]
    assert (one.difference.difference, one.difference.low) == pytest.approx((table.difference, table.low))


@pytest.mark.parametrize(("low", "verdict"), [(-0.009, True), (-0.01, False), (-0.011, False), (None, False)])
def test_no_worse_is_said_only_where_the_whole_interval_is_above_the_margin(low, verdict):
    one = exit_with(low)
    assert one.no_worse == verdict
    if low is not None:
        assert ("not shown to be no worse" in one.in_words()) == (not verdict)


def test_depths_of_folds_and_an_evaluation_without_e_score_have_no_price(caches):
    assert early_exits(evaluated(caches, ["e-score", "lager-early"], folds=3)) == []
    assert early_exits(evaluated(caches, ["lager", "lager-early:2"])) == []


def test_the_report_and_the_results_show_it(caches, tmp_path):
    write_outputs(evaluated(caches, ["e-score", "lager", "lager-early"]), tmp_path / "out")
    (told,) = json.loads((tmp_path / "out" / "results.json").read_text())["early_exit"]
    assert told["baseline"] == "e-score"
    assert told["share_of_blocks_cut"] == 1 - told["last_entry"] / 4
    page = (tmp_path / "out" / "report.html").read_text()
    sentence = f"lager-early runs {told['last_entry']} of 4 blocks, chosen on training folds; on these items"
    assert sentence in page


def test_a_depth_that_was_told_has_no_training_curve(caches):
    (one,) = early_exits(evaluated(caches, ["e-score", "lager-early:2"]))
    assert one.training == ()
    assert "as it was told" in one.in_words()
