"""The report's first sentences claim no more than the figures carry."""

import numpy as np
import polars as pl
import pytest
from lager import evaluate_scores
from lager.data.items.raters import RATED_BY, RATED_BY_TYPE
from lager.evaluate.evaluation.evaluation import Evaluation
from lager.evaluate.evaluation.scoring import StrategyScores
from lager.evaluate.report.headline import opening

N = 90
RNG = np.random.default_rng(0)
TRUTH = RNG.normal(3, 1, size=N)
RATERS = TRUTH[:, None] + RNG.normal(scale=0.6, size=(N, 3))
HUMAN = RATERS.mean(axis=1)
GOOD, FAIR, NOISE = TRUTH + RNG.normal(scale=0.3, size=N), TRUTH + RNG.normal(scale=1.5, size=N), RNG.normal(size=N)


def said(scores, *, names=None, annotators=True, shown=("spearman",), in_sample=0, **options):
    """The opening of an evaluation of these judges."""
    lists = RATERS.tolist() if annotators else [[value] for value in HUMAN]
    items = pl.DataFrame({"item_id": [str(n) for n in range(N)], "scores": lists})
    if names is not None:
        items = items.with_columns(pl.Series(RATED_BY, [list(names)] * N, dtype=RATED_BY_TYPE))
    agreement = evaluate_scores(HUMAN, scores, annotators=lists, **options)
    scored = tuple(
        StrategyScores(name, np.asarray(values), "external", in_sample, True) for name, values in scores.items()
    )
    return opening(Evaluation(agreement, scored, items, None, {}, shown=shown))


def test_the_best_strategy_is_named_with_its_interval_and_beside_the_baseline():
    text = said({"good": GOOD, "fair": FAIR}, baseline="fair")
    assert text.startswith("good agrees with people at Spearman 0.")
    assert "], pooled over all items, best of 2." in text
    assert "above the baseline fair (difference [0." in text
    assert "more than chance after Holm's correction." in text


def test_a_baseline_that_nothing_beats_is_said():
    assert "That is the baseline: nothing has a better figure than good." in said(
        {"good": GOOD, "fair": FAIR}, baseline="good"
    )
    near = GOOD + RNG.normal(scale=0.05, size=N)
    best = said({"good": GOOD, "near": near}).split()[0]
    text = said({"good": GOOD, "near": near}, baseline={"good": "near", "near": "good"}[best])
    assert "It is not shown to be better than the baseline" in text


def test_an_interval_that_holds_0_is_no_agreement():
    text = said({"noise": NOISE, "less": -np.abs(NOISE)}, baseline="less")
    assert text.startswith("No strategy is shown to agree with people: the best, ")
    against = said({"reversed": -GOOD})
    assert "the best, reversed, is 0 or below (Spearman -0." in against


def test_raters_with_names_give_the_difference_its_interval():
    text = said({"good": GOOD}, names=("anna", "ben", "chloe"))
    assert "better than one more rater by 0." in text
    assert text.endswith("]).")
    worse = said({"fair": FAIR}, names=("anna", "ben", "chloe"))
    assert "worse than one more rater by 0." in worse
    error = said({"fair": FAIR}, names=("anna", "ben", "chloe"), shown=("mae",))
    assert "worse than one more rater by" in error


def test_raters_without_names_are_set_beside_without_a_claim():
    text = said({"good": GOOD})
    assert "One rater reaches 0." in text
    assert text.endswith("against the same.")
    assert "better than one more rater" not in text


def test_no_raters_no_baseline_and_no_interval_are_said():
    text = said({"good": GOOD, "fair": FAIR}, annotators=False, resamples=0)
    assert "(no interval: none was asked for)" in text
    assert "No baseline was named" in text
    assert (
        "Single raters' scores, to set it beside a rater, are not there (only one score for each item is kept" in text
    )


@pytest.mark.parametrize(
    ("scores", "options", "reason"),
    [
        ({"flat": np.ones(N)}, {}, "No strategy can be named the best in Spearman: it is undefined (constant scores"),
        (
            {"good": GOOD},
            {"in_sample": 5},
            "No strategy can be named the best in Spearman: all were fitted to evaluated rows",
        ),
        ({"good": GOOD}, {"shown": ("range_used",)}, "The metrics shown are descriptions"),
    ],
)
def test_where_nothing_may_be_the_best_nothing_is(scores, options, reason):
    assert said(scores, **options).startswith(reason)


def test_strategies_with_the_same_figure_are_all_named():
    assert "good agrees" in (text := said({"good": GOOD, "twice": 2 * GOOD}, baseline="good"))
    assert "(as do twice, with the same figure)" in text
