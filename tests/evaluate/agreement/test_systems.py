"""Between systems: intervals of the correlation of true means, and reasons where there can be none."""

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.true_means import EXACT, FEW, INCOMPLETE, NOISE, NOT_KNOWN, _draw
from scipy import stats

N_SYSTEMS, N_TEXTS = 11, 40


def table(seed, *, noise=1.0, correlation=0.9):
    """True means of systems, and items of every system on every text."""
    rng = np.random.default_rng(seed)
    true = np.linalg.cholesky([[1, correlation], [correlation, 1]]) @ rng.normal(size=(2, N_SYSTEMS))
    shared, text = rng.normal(size=(N_TEXTS, N_SYSTEMS)), rng.normal(size=(2, N_TEXTS, 1))
    human, judge = (
        0.5 * true[side] + 0.5 * text[side] + noise * (0.7 * shared + 0.7 * rng.normal(size=shared.shape))
        for side in (0, 1)
    )
    cluster, system = np.indices(human.shape)
    return true, human.ravel(), judge.ravel(), cluster.ravel(), system.ravel()


def figures(human, scores, cluster, system, **options):
    return evaluate_scores(human, scores, cluster=cluster, system=system, level="system", **options)


def test_intervals_hold_the_figures_of_true_means():
    """Documents alone were resampled before: a nominal 95 % held them in 30 to 80 %."""
    truth = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}
    covered = {name: [] for name in truth}
    for seed in range(25):
        true, human, judge, cluster, system = table(seed)
        found = figures(human, {"j": judge}, cluster, system, metrics=list(truth))["j"].metrics
        for name, one in found.items():
            assert one.low <= one.estimate <= one.high
            covered[name].append(one.low <= truth[name](*true)[0] + 1e-12 and truth[name](*true)[0] - 1e-12 <= one.high)
    assert min(np.mean(one) for one in covered.values()) >= 0.88


def test_intervals_of_systems_alike_hold_the_population():
    population = {"pearson": 0.9, "spearman": 6 / np.pi * np.arcsin(0.45), "kendall": 2 / np.pi * np.arcsin(0.9)}
    covered = []
    for seed in range(25):
        _, human, judge, cluster, system = table(seed)
        alike, these = (
            figures(human, {"j": judge}, cluster, system, metrics=list(population), systems=which)["j"].metrics
            for which in ("alike", "these")
        )
        for name, value in population.items():
            covered.append(alike[name].low <= value <= alike[name].high)
            assert alike[name].estimate == these[name].estimate
        assert alike["pearson"].high - alike["pearson"].low > these["pearson"].high - these["pearson"].low
    assert np.mean(covered) >= 0.88


def test_many_systems_give_the_correlation_that_noise_is_taken_out_of_by_hand():
    rng = np.random.default_rng(0)
    n_texts, n_systems = 12, 400
    true = rng.normal(size=n_systems)
    of_judge = 0.8 * true + 0.6 * rng.normal(size=n_systems)
    h, j = (side + 1.5 * rng.normal(size=(n_texts, n_systems)) for side in (true, of_judge))
    residual = [x - x.mean(0) - x.mean(1, keepdims=True) + x.mean() for x in (h, j)]
    scale = (n_systems - 1) * (n_texts - 1) * n_texts
    noise = [[(one * other).sum() / scale for other in residual] for one in residual]
    observed = np.cov(h.mean(0), j.mean(0))
    less = observed - noise
    by_hand = less[0, 1] / np.sqrt(less[0, 0] * less[1, 1])
    cluster, system = (places.ravel() for places in np.indices(h.shape))
    one = figures(h.ravel(), {"j": j.ravel()}, cluster, system, metrics=["pearson"])["j"].metrics["pearson"]
    raw = observed[0, 1] / np.sqrt(observed[0, 0] * observed[1, 1])
    assert one.estimate == pytest.approx(raw)
    assert by_hand - raw > 0.05
    assert one.low == pytest.approx(raw)
    assert raw < by_hand < one.high
    drawn = _draw(np.stack([h, j]), np.random.default_rng(0)).covariance
    r = drawn[:, 0, 1] / np.sqrt(drawn[:, 0, 0] * drawn[:, 1, 1])
    assert np.median(r) == pytest.approx(by_hand, abs=0.01)


def test_differences_have_intervals_and_tests_too():
    _, human, judge, cluster, system = table(3, noise=0.3)
    noise = np.random.default_rng(0).normal(size=len(human)) + 0.5 * np.random.default_rng(1).normal(size=11)[system]
    found = figures(human, {"j": judge, "bad": noise}, cluster, system, metrics=["pearson"], baseline="bad").comparison
    one = found.differences["j"]["pearson"]
    assert one.low <= one.difference <= one.high
    assert 0 < one.p < 0.05
    assert one.low > 0


@pytest.mark.parametrize("kind", ["jackknife", "percentile", "bca"])
def test_errors_have_figures_and_no_interval_of_any_kind(kind):
    _, human, judge, cluster, system = table(2)
    found = figures(human, {"j": judge}, cluster, system, interval=kind)["j"].metrics
    for name in ("mae", "rmse", "krippendorff_alpha"):
        assert found[name].estimate is not None
        assert (found[name].low, found[name].reason) == (None, NOT_KNOWN)


def test_few_systems_and_a_judge_that_copies_give_a_reason():
    _, human, judge, cluster, system = table(3)
    few = system < 4
    assert figures(human[few], {"j": judge[few]}, cluster[few], system[few])["j"].metrics["spearman"].reason == FEW
    assert figures(human, {"j": human}, cluster, system)["j"].metrics["spearman"].reason == EXACT


def test_systems_alike_are_for_the_system_level():
    with pytest.raises(LagerError, match="--systems alike is for --level system, and this is level pooled"):
        evaluate_scores([1, 2, 3], {"j": [1, 2, 3]}, systems="alike")
    with pytest.raises(LagerError, match="unknown systems 'all': choose from these, alike"):
        evaluate_scores([1, 2, 3], {"j": [1, 2, 3]}, systems="all")


def test_gaps_and_texts_that_are_not_declared_give_a_reason():
    _, human, judge, cluster, system = table(3)
    gap = judge.copy()
    gap[5] = np.nan
    assert figures(human, {"j": gap}, cluster, system)["j"].metrics["pearson"].reason == INCOMPLETE
    assert figures(human, {"j": judge}, None, system)["j"].metrics["pearson"].reason == INCOMPLETE


def test_systems_that_differ_by_noise_alone_are_refused_an_interval():
    rng = np.random.default_rng(5)
    cluster, system = (side.ravel() for side in np.indices((30, 8)))
    refused = 0
    for _ in range(20):
        human, judge = rng.normal(size=(2, 240))
        found = figures(human, {"j": judge}, cluster, system, metrics=["pearson"])["j"].metrics["pearson"]
        assert found.low is None or found.low <= 0 <= found.high
        refused += found.reason == NOISE
    assert refused >= 5


def test_groups_are_averaged_and_each_has_its_own():
    _, human, judge, cluster, system = table(6)
    _, more, judged, _, _ = table(7)
    group = np.repeat(["a", "b"], len(human))
    both = figures(
        np.concatenate([human, more]), {"j": np.concatenate([judge, judged])}, np.tile(cluster, 2), np.tile(system, 2),
        group=group, metrics=["pearson"],
    )["j"]  # fmt: skip
    alone = figures(human, {"j": judge}, cluster, system, metrics=["pearson"])["j"].metrics["pearson"]
    assert both.groups[0].metrics["pearson"].low == pytest.approx(alone.low)
    assert both.groups[0].metrics["pearson"].high == pytest.approx(alone.high)
    assert both.metrics["pearson"].low < both.metrics["pearson"].estimate < both.metrics["pearson"].high
