"""Where agreement counts within groups, what lies between groups is an intercept and not a slope."""

from dataclasses import replace

import numpy as np
import pytest
from lager.data.cache.readouts import Readouts
from lager.data.errors import LagerError
from lager.train.aggregator.aggregator import Aggregator
from lager.train.aggregator.layer_options import LayerOptions
from lager.train.solvers.folds import cluster_folds
from lager.train.solvers.minimise import minimise
from lager.train.solvers.rank_correlation import level_spearman, spearman
from lager.train.solvers.training_items import level_groups, training_loss
from lager.train.strategies.fit import fit_strategy
from lager.train.strategies.registry import lookup
from support.readouts import from_arrays

LINEAR = ["ridge", "ordinal", "probe", "probe:ordinal", "probe:logistic"]
MIXTURES = ["lager-tuned", "prob-tuned", "lager-tuned+free", "lager-tuned+nonneg", "lager-shrunk", "lager-scaled",
            "lager-rank", "lager-early:4", "isotonic:lager"]  # fmt: skip
CRITERIA = ("fluency", "coherence", "relevance", "consistency")


def confounded(seed: int = 0, n_texts: int = 30, size: int = 3) -> Readouts:
    """Texts on four criteria: logits say much of the criterion, which humans score differently, a little of quality."""
    rng = np.random.default_rng(seed)
    n = n_texts * size * 4
    text, criterion = np.arange(n) // (size * 4), np.arange(n) % 4
    quality = rng.normal(size=n_texts)[text] + 0.7 * rng.normal(size=n)
    human = np.clip(np.rint(2 * (3 + 0.8 * (criterion - 1.5) + 0.5 * quality)) / 2, 1, 5)
    tells_criterion, says = rng.normal(size=(4, 6, 5)), 0.15 * np.arange(-2, 3)
    logits = 1.5 * tells_criterion[criterion] + rng.normal(size=(n, 6, 5))
    logits[:, 3:] += quality[:, None, None] * says
    data = from_arrays(logits.astype(np.float32), human)
    states = np.concatenate([logits, rng.normal(size=(n, 6, 3))], axis=2).astype(np.float32)
    return replace(
        data,
        group=np.array(CRITERIA, dtype=object)[criterion],
        cluster=np.array([f"text{one}" for one in text], dtype=object),
        hidden={"last": states},
    )


TRAIN, TEST = confounded(1), confounded(1)


def within_and_pooled(name: str, *, pooled: bool, seeds: int = 3) -> np.ndarray:
    """Spearman out of fold by criterion (mean) and over all, and the mean absolute error."""
    found = []
    for seed in range(seeds):
        data = replace(confounded(seed), pooled=pooled)
        scores, within = np.empty(len(data)), []
        for fold in cluster_folds(data.cluster, len(data), 4, seed):
            test = data.take(fold.test)
            scores[fold.test] = fit_strategy(name, data.take(fold.train)).predict(test)
            codes = np.unique(test.group.astype(str), return_inverse=True)[1]
            within.append(level_spearman(scores[fold.test], test.human, group=codes))
        error = np.abs(scores - data.human).mean()
        found.append([np.mean(within), spearman(scores, data.human), error])
    return np.mean(found, axis=0)


@pytest.mark.parametrize("name", ["ridge", "ordinal", "probe", "lager-tuned", "lager-scaled", "lager-rank"])
def test_fits_within_groups_agree_better_there_and_not_worse_over_all(name: str) -> None:
    by_group, over_all = (within_and_pooled(name, pooled=pooled) for pooled in (False, True))
    assert by_group[0] > over_all[0] + 0.03
    assert by_group[1] > over_all[1] - 0.01
    assert by_group[2] < over_all[2] + 0.01


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_have_intercepts_and_the_mean_of_all_in_a_group_that_was_not_seen(name: str) -> None:
    fitted = fit_strategy(name, TRAIN)
    intercepts = fitted.parameters["group_intercepts"]
    assert sorted(intercepts) == sorted(CRITERIA)
    predicted = {c: fitted.predict(TEST)[TEST.group == c].mean() for c in CRITERIA}
    human = {c: TEST.human[TEST.group == c].mean() for c in CRITERIA}
    assert np.abs([predicted[c] - human[c] for c in CRITERIA]).max() < 0.45
    unseen = replace(TEST, group=None)
    middle = replace(
        fitted,
        parameters={**fitted.parameters, "group_intercepts": {"": np.mean(list(intercepts.values()), axis=0).tolist()}},
    )
    np.testing.assert_allclose(fitted.predict(unseen), middle.predict(unseen))
    assert predicted["consistency"] > fitted.predict(unseen)[TEST.group == "consistency"].mean() + 0.3


@pytest.mark.parametrize("constraint", ["simplex", "nonneg", "free"])
def test_weights_and_intercepts_are_at_the_minimum_of_their_loss(constraint: str) -> None:
    loss = training_loss(TRAIN, LayerOptions())
    minimum = minimise(loss, constraint)
    value, gradient = loss(minimum.parameters)
    assert minimum.converged
    np.testing.assert_allclose(gradient[loss.n_entries :], 0, atol=1e-5)
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights, intercepts = np.split(minimum.parameters + 1e-3 * rng.normal(size=len(gradient)), [loss.n_entries])
        if constraint != "free":
            weights = np.maximum(weights, 0)
        if constraint == "simplex":
            weights /= weights.sum()
        assert loss(np.append(weights, intercepts))[0] >= value - 1e-9
    slopes = [
        (loss(minimum.parameters + 1e-5 * one)[0] - loss(minimum.parameters - 1e-5 * one)[0]) / 2e-5
        for one in np.eye(len(gradient))
    ]
    np.testing.assert_allclose(slopes, gradient, atol=1e-6)


@pytest.mark.parametrize("name", LINEAR)
def test_a_group_that_was_not_seen_has_no_intercept_and_others_have_theirs(name: str) -> None:
    fitted = fit_strategy(name, TRAIN)
    intercepts = fitted.parameters["group_intercepts"]
    assert sorted(intercepts) == sorted(CRITERIA)
    np.testing.assert_allclose(np.mean(list(intercepts.values()), axis=0), 0, atol=1e-9)
    by_hand = replace(fitted, parameters={k: v for k, v in fitted.parameters.items() if k != "group_intercepts"})
    unseen = [
        replace(TEST, group=np.full(len(TEST), "style", dtype=object)),
        replace(TEST, group=None),
        replace(TEST, group=np.full(len(TEST), None, dtype=object)),
    ]
    for one in unseen:
        np.testing.assert_allclose(fitted.predict(one), by_hand.predict(one), atol=1e-9)
    means = [np.mean(fitted.predict(TEST)[TEST.group == criterion]) for criterion in CRITERIA]
    humans = [np.mean(TEST.human[TEST.group == criterion]) for criterion in CRITERIA]
    np.testing.assert_allclose(means, humans, atol=0.15)


@pytest.mark.parametrize("name", LINEAR + MIXTURES)
def test_the_file_keeps_intercepts_and_one_without_scores_as_before(name: str) -> None:
    fitted = fit_strategy(name, TRAIN)
    again = Aggregator.from_json(fitted.as_json(), lookup)
    np.testing.assert_array_equal(again.predict(TEST), fitted.predict(TEST))
    pooled = fit_strategy(name, replace(TRAIN, pooled=True))
    assert "group_intercepts" not in pooled.parameters
    np.testing.assert_array_equal(pooled.predict(TEST), pooled.predict(replace(TEST, group=None)))
    for wrong in ({"fluency": None}, {"fluency": "1"}, {"fluency": [1.0] * 9}, [1.0], {"fluency": float("nan")}):
        raw = fitted.as_json()
        raw["parameters"] = {**raw["parameters"], "group_intercepts": wrong}
        with pytest.raises(LagerError, match="finite numbers in `group_intercepts`"):
            Aggregator.from_json(raw, lookup)


def test_a_single_group_and_items_without_one_need_no_care() -> None:
    one = replace(TRAIN, group=np.full(len(TRAIN), "fluency", dtype=object))
    plain = fit_strategy("ridge", replace(TRAIN, group=None))
    assert fit_strategy("ridge", one).parameters == plain.parameters
    some = np.where(TRAIN.group == "fluency", None, TRAIN.group)
    assert sorted(fit_strategy("ridge", replace(TRAIN, group=some)).parameters["group_intercepts"]) == [
        "coherence", "consistency", "relevance",
    ]  # fmt: skip
    assert level_groups(replace(TRAIN, group=some))[0][-1] is None
