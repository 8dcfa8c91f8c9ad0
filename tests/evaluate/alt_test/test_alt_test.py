"""The alternative annotator test gives the published figures, holds its level, and says what it needs."""

import json

import numpy as np
import pytest
from lager import LagerError, alt_test
from lager.evaluate.alt_test.alt_test import against_raters
from lager.evaluate.alt_test.false_discovery import benjamini_yekutieli
from scipy import stats

JUDGES = ("gemini_flash", "gemini_pro", "gpt-4o", "llama-31", "gpt-4o-mini", "mistral-v03")


def as_published(judge, raters, epsilon, score):
    """The test from its description, item by item: omega, rho and the p-values."""
    p, wins = [], []
    for j in range(raters.shape[1]):
        differences, won = [], []
        for own, row in zip(judge, raters, strict=True):
            others = [value for k, value in enumerate(row) if k != j and not np.isnan(value)]
            if np.isnan(own) or np.isnan(row[j]) or not others:
                continue
            of_judge, of_rater = score(own, others), score(row[j], others)
            differences.append(int(of_rater >= of_judge) - int(of_judge >= of_rater))
            won.append(of_judge >= of_rater)
        p.append(stats.ttest_1samp(differences, epsilon, alternative="less").pvalue)
        wins.append(np.mean(won))
    rejected = stats.false_discovery_control(p, method="by") <= 0.05
    return rejected.mean(), np.mean(wins), p


def made_up(seed, *, n=80, n_raters=4, missing=0.3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, 6, size=n)
    raters = np.clip(truth[:, None] + rng.integers(-1, 2, size=(n, n_raters)), 1, 5).astype(float)
    raters[rng.random(raters.shape) < missing] = np.nan
    return np.clip(truth + rng.integers(-1, 2, size=n), 1, 5).astype(float), raters, rng


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("alignment", "score"),
    [
        ("accuracy", lambda own, others: np.mean([own == other for other in others])),
        ("neg-rmse", lambda own, others: -np.sqrt(np.mean([(own - other) ** 2 for other in others]))),
    ],
)
def test_figures_are_those_of_the_description(alignment, score, seed):
    judge, raters, rng = made_up(seed)
    judge[rng.random(80) < 0.1] = np.nan
    found = alt_test(judge, raters, epsilon=0.15, alignment=alignment)
    omega, rho, p = as_published(judge, raters, 0.15, score)
    assert (found.omega, found.rho) == (omega, pytest.approx(rho, abs=1e-12))
    assert [one.p for one in found.raters] == pytest.approx(p, abs=1e-12)
    assert [one.p_by for one in found.raters] == pytest.approx(stats.false_discovery_control(p, method="by"))


def published(shared, name):
    """Scores of the raters as a table, and each judge's."""
    if name == "summeval":
        rows = list(map(json.loads, (shared / "data" / "summeval-raters.jsonl").read_text().splitlines()))
        table = np.array([row["scores"] for row in rows], dtype=float)
        return ("e0", "e1", "e2"), table, {judge: np.array([row[judge] for row in rows], float) for judge in JUDGES}
    folder = shared / "data" / "alt-test"
    human, llm = (json.loads((folder / f"{name}-{kind}.json").read_text()) for kind in ("human", "llm"))
    items = sorted({item for scores in human.values() for item in scores})
    table = np.array([[human[rater].get(item, np.nan) for rater in human] for item in items], dtype=float)
    judges = {judge: np.array([llm[judge].get(item, np.nan) for item in items], dtype=float) for judge in JUDGES}
    return tuple(human), table, judges


@pytest.mark.shared
@pytest.mark.parametrize("name", ["10k_prompts", "cebab_stars", "summeval"])
def test_figures_are_those_of_the_published_implementation(shared, name):
    expected = json.loads((shared / "data" / "alt-test" / "expected.json").read_text())[name]
    names, table, judges = published(shared, name)
    for judge, scores in judges.items():
        found = alt_test(scores, table, epsilon=expected["epsilon"], q=expected["q"], names=names)
        told = expected["judges"][judge]
        assert (found.omega, found.rho) == pytest.approx((told["omega"], told["rho"]), abs=1e-10)
        assert {one.rater: one.p for one in found.raters} == pytest.approx(told["p"], abs=1e-10)
        assert {one.rater: one.judge_wins for one in found.raters} == pytest.approx(told["rho_per_rater"], abs=1e-10)


def test_items_of_a_cluster_that_are_one_item_repeated_prove_no_more_than_one():
    judge, raters, _ = made_up(0, missing=0)
    once = alt_test(judge, raters, epsilon=0.1)
    clusters = np.repeat(np.arange(80), 4)
    often = alt_test(np.repeat(judge, 4), np.repeat(raters, 4, axis=0), epsilon=0.1, cluster=clusters)
    assert [one.p for one in often.raters] == pytest.approx([one.p for one in once.raters])
    assert (often.clustered, once.clustered) == (True, False)
    assert often.raters[0].n_clusters == 80
    alone = alt_test(judge, raters, epsilon=0.1, cluster=[None] * 80)
    assert [one.p for one in alone.raters] == pytest.approx([one.p for one in once.raters])


def test_a_judge_that_is_a_rater_wins_at_a_large_epsilon_and_at_none_of_zero():
    judge, raters, _ = made_up(1, n=400, missing=0)
    compared = against_raters(judge, raters, alignment="neg-rmse")
    assert compared.at(0.2).may_replace
    assert compared.at(0.2).omega == 1
    assert not compared.at(0.0).may_replace
    worse = against_raters(6 - judge, raters, alignment="neg-rmse").at(0.2)
    assert (worse.omega, worse.may_replace) == (0, False)


def test_ties_count_for_both_whatever_rounding_makes_of_them():
    scores = np.tile([[0.1 + 0.2, 0.3, 1.0]], (30, 1))
    found = alt_test(np.full(30, 0.3), scores, epsilon=0.1)
    first = found.raters[0]
    assert (first.judge_wins, first.rater_wins, first.won) == (1, 1, True)


def boundary_draws(n_draws, *, n_clusters=0, seed=0):
    """How often the verdict is "may replace" where every rater is nearer epsilon more often than the judge.

    Three raters of 60 items. On each item the raters agree but for one, drawn anew, and the judge says what that one
    says or what the others say. Against rater j, d is 1 where only the judge is off, -1 where only j is, so that the
    shares of the three kinds of items set its mean; with clusters all items of one are of a kind.
    """
    rng = np.random.default_rng(seed)
    epsilon, n = 0.2, 60
    judge_off, rater_off = 0.35, 0.15  # each rater alone off on .15: E d = .35 - .15 = epsilon
    replaced = 0
    for _ in range(n_draws):
        unit = n_clusters or n
        cluster = np.arange(n) % unit
        kind = rng.choice(5, size=unit, p=[judge_off, rater_off, rater_off, rater_off, 1 - judge_off - 3 * rater_off])
        raters = np.full((n, 3), 3.0)
        for rater in range(3):
            raters[kind[cluster] == rater + 1, rater] = 5
        judge = np.where(kind[cluster] == 0, 5.0, 3.0)
        found = alt_test(judge, raters, epsilon=epsilon, cluster=cluster if n_clusters else None)
        replaced += found.may_replace
    return replaced / n_draws


def test_a_judge_at_the_boundary_is_seldom_let_through():
    assert boundary_draws(300) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("n_clusters", [0, 30, 15])
def test_a_judge_at_the_boundary_is_let_through_in_six_percent_of_draws_at_most(n_clusters):
    assert boundary_draws(2000, n_clusters=n_clusters, seed=1) <= 0.06


def test_the_correction_over_raters_is_that_of_scipy():
    p = np.random.default_rng(0).beta(0.3, 2, size=17)
    assert benjamini_yekutieli(p) == pytest.approx(stats.false_discovery_control(p, method="by"))
    assert benjamini_yekutieli(np.array([0.01])) == pytest.approx([0.01])


def test_raters_without_items_enough_are_left_out_and_stay_among_the_others():
    judge, raters, _ = made_up(2, missing=0)
    raters[20:, 3] = np.nan
    found = alt_test(judge, raters, epsilon=0.15, names=("anna", "ben", "chloe", "dora"))
    assert ([one.rater for one in found.raters], found.left_out) == (["anna", "ben", "chloe"], ("dora",))
    assert found.raters[0].p != alt_test(judge, raters[:, :3], epsilon=0.15).raters[0].p


def test_what_is_lacking_is_said():
    judge, raters, _ = made_up(3, missing=0)
    with pytest.raises(LagerError, match=r"2 of 2 raters have the 30 items .*needs 3 such raters"):
        alt_test(judge, raters[:, :2], epsilon=0.1)
    with pytest.raises(LagerError, match=r"0 of 4 raters .*they have: #1 29, #2 29"):
        alt_test(judge[:29], raters[:29], epsilon=0.1)
    with pytest.raises(LagerError, match=r"30 items in 10 clusters that are needed.*#1 80 in 9"):
        alt_test(judge, raters, epsilon=0.1, cluster=np.arange(80) % 9)
    for bad in (-0.1, 1.0):
        with pytest.raises(LagerError, match="epsilon"):
            alt_test(judge, raters, epsilon=bad)
    with pytest.raises(LagerError, match="q 5"):
        alt_test(judge, raters, epsilon=0.1, q=5)
    with pytest.raises(LagerError, match="choose from neg-rmse, accuracy"):
        alt_test(judge, raters, epsilon=0.1, alignment="cosine")
    with pytest.raises(LagerError, match=r"expected \(n_items,\) and \(n_items, n_raters\)"):
        alt_test(judge[1:], raters, epsilon=0.1)
    with pytest.raises(LagerError, match="no two the same"):
        alt_test(judge, raters, epsilon=0.1, names=["a", "a", "b", "c"])
    with pytest.raises(LagerError, match="infinite"):
        alt_test(np.full(80, np.inf), raters, epsilon=0.1)
