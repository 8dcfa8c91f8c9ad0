"""lager-early: the first layers only, as few as do."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.train.aggregator.layer_options import LayerOptions
from lager.train.solvers.minimise import minimise
from lager.train.solvers.rank_correlation import level_spearman
from lager.train.solvers.training_items import inner_folds, training_loss
from lager.train.strategies.early import early_curve, first_good_entry
from lager.train.strategies.fit import fit_strategy
from support.readouts import simulate

TRAIN = simulate(200, informative=(3, 4), seed=2)


def test_a_given_entry_is_lager_tuned_on_the_entries_up_to_it() -> None:
    fitted = fit_strategy("lager-early:4", TRAIN)
    cut = fit_strategy("lager-tuned", replace(TRAIN, logits=TRAIN.logits[:, :5]))
    assert fitted.weights == (*cut.weights, 0.0, 0.0, 0.0, 0.0)
    later = TRAIN.logits.copy()
    later[:, 5:] = np.nan
    np.testing.assert_array_equal(fitted.predict(replace(TRAIN, logits=later)), fitted.predict(TRAIN))


def test_it_stops_at_the_layers_that_know_and_not_before() -> None:
    fitted = fit_strategy("lager-early", replace(TRAIN, pooled=True))
    assert fitted.parameters["last_entry"] in {3, 4}
    curve = fitted.training["spearman_by_entry"]
    assert curve[2] < 0.5 < curve[4]


def test_every_fit_starts_from_the_one_before_and_ends_where_a_fit_from_uniform_weights_does() -> None:
    loss, folds = training_loss(TRAIN, LayerOptions()), inner_folds(TRAIN, strategy="lager-early", seed=1)
    curve = early_curve(loss, folds, "simplex")
    train, test = loss.take(folds[0].train), loss.take(folds[0].test)
    for entry in (2, 4, 8):
        scores = test.first(entry + 1).expected(minimise(train.first(entry + 1)).parameters)
        rho = level_spearman(scores, test.human, weight=test.weight, group=test.group)
        assert curve[entry, 0] == pytest.approx(rho, abs=1e-3)


def test_one_standard_error_of_the_best_is_good_enough() -> None:
    by_fold = np.array([[0.1, 0.1, 0.1], [0.58, 0.6, 0.62], [0.5, 0.65, 0.8], [0.3, 0.6, 0.7]])
    assert first_good_entry(by_fold) == 1  # best is 2 with mean .65 and standard error .087
    assert first_good_entry(by_fold[:2]) == 1
    assert first_good_entry(np.array([[np.nan, np.nan], [0.4, np.nan]])) == 1


def test_undefined_everywhere_is_an_error_and_not_entry_0() -> None:
    with pytest.raises(LagerError, match="no number of layers ranks"):
        first_good_entry(np.full((3, 2), np.nan))


def test_an_entry_past_the_end_is_refused_with_the_last_one() -> None:
    with pytest.raises(LagerError, match="there is no lager-early:9: the entries are 0 to 8"):
        fit_strategy("lager-early:9", TRAIN)
    with pytest.raises(LagerError, match="0 to 7"):
        fit_strategy("lager-early:8+no-last", TRAIN)
