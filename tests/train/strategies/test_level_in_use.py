"""Strategies choose their settings by the agreement that is reported: within groups where there are any, weighted."""

from dataclasses import replace

import numpy as np
import pytest
from lager.train.solvers.rank_correlation import level_spearman
from lager.train.strategies.fit import fit_strategy
from scipy import stats
from support.readouts import from_arrays

RNG = np.random.default_rng(5)


def expectation_logits(position: np.ndarray) -> np.ndarray:
    """Logits whose expectation rises with a number about -1 to 1 of each item; shape (n, 5)."""
    return position[:, None] * np.arange(-2.0, 3.0)


def two_layers(n: int = 240):
    """Layer 0 knows which group an item is in, layer 1 orders the items of a group, and its level misleads."""
    group = np.arange(n) % 3
    quality = RNG.normal(size=n)
    human = np.clip(3 + 1.2 * (group - 1) + 0.4 * quality, 1, 5)
    knows_group = 0.5 * (group - 1) + 0.02 * RNG.normal(size=n)
    orders = 0.2 * quality - 0.6 * (group - 1) + 0.1 * RNG.normal(size=n)
    logits = np.stack([expectation_logits(knows_group), expectation_logits(orders)], axis=1).astype(np.float32)
    data = from_arrays(logits, human)
    names = np.array([f"criterion{one}" for one in group], dtype=object)
    return replace(data, group=names, cluster=np.array([f"text{i // 6}" for i in range(n)], dtype=object))


DATA = two_layers()


def test_agreement_is_the_mean_over_groups_and_weighted() -> None:
    scores, human, group = RNG.normal(size=60), RNG.integers(1, 6, 60).astype(float), np.arange(60) % 3
    by_group = [stats.spearmanr(scores[group == g], human[group == g]).statistic for g in range(3)]
    assert level_spearman(scores, human, group=group) == pytest.approx(np.mean(by_group))
    assert level_spearman(scores, human) == pytest.approx(stats.spearmanr(scores, human).statistic)
    weight = RNG.integers(1, 4, 60)
    written_out = [np.repeat(one, weight) for one in (scores, human, group)]
    expected = level_spearman(written_out[0], written_out[1], group=written_out[2])
    assert level_spearman(scores, human, weight=weight.astype(float), group=group) == pytest.approx(expected)


def test_constant_scores_have_nought_in_a_group_and_constant_humans_leave_it_out() -> None:
    human, group = np.array([1.0, 2, 3, 4, 5, 5]), np.array([0, 0, 1, 1, 2, 2])
    assert level_spearman(np.array([1.0, 2, 2, 2, 1, 2]), human, group=group) == pytest.approx(0.5)
    assert level_spearman(np.full(6, 0.3), human, group=group) is None
    assert level_spearman(np.arange(6.0), np.repeat([1.0, 2, 3], 2), group=group) is None


def test_best_layer_is_best_within_groups_and_pooled_where_that_is_the_level() -> None:
    assert fit_strategy("best-layer", DATA).parameters["layer"] == 1
    assert fit_strategy("best-layer", replace(DATA, pooled=True)).parameters["layer"] == 0
    assert fit_strategy("best-layer", replace(DATA, group=None)).parameters["layer"] == 0


@pytest.mark.slow
def test_shrunk_and_early_choose_by_means_over_groups() -> None:
    shrunk = [fit_strategy("lager-shrunk", replace(DATA, pooled=pooled)).training["spearman_by_strength"][-1]
              for pooled in (False, True)]  # fmt: skip
    assert shrunk[0] > 0.6
    assert shrunk[1] < 0  # even weights order within groups, and mislead between them
    early = [fit_strategy("lager-early", replace(DATA, pooled=pooled)).training["spearman_by_entry"][0]
             for pooled in (False, True)]  # fmt: skip
    assert early[0] < 0.4
    assert early[1] > 0.6  # layer 0 tells groups apart, and hardly their items


@pytest.mark.parametrize("name", ["best-layer", "lager-shrunk", "lager-early"])
def test_weights_count_where_settings_are_chosen(name: str) -> None:
    """Layer 0 orders the first half of the items, layer 1 the second; only one half counts for much."""
    n, first = 200, np.arange(200) < 100
    quality = RNG.normal(size=n)
    half = [np.where(side, quality, RNG.normal(size=n)) for side in (first, ~first)]
    logits = np.stack([expectation_logits(0.3 * one) for one in half], axis=1).astype(np.float32)
    data = from_arrays(logits, np.clip(3 + quality, 1, 5))
    chosen = []
    for heavy in (first, ~first):
        fitted = fit_strategy(name, replace(data, weight=np.where(heavy, 1.0, 1e-6)))
        chosen.append(fitted.parameters.get("layer", fitted.parameters.get("last_entry", fitted.weights[1] > 0.5)))
    assert chosen == [0, 1]
