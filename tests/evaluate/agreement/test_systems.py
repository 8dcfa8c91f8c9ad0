"""Between systems: intervals of the correlation of true means, and reasons where there can be none."""

import numpy as np
import pytest
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.true_means import INCOMPLETE, NOISE, NOT_KNOWN

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


def test_intervals_hold_the_correlation_of_true_means():
    """Documents alone were resampled before: a nominal 95 % held it in 30 to 80 %."""
    covered = []
    for seed in range(120):
        true, human, judge, cluster, system = table(seed)
        found = figures(human, {"j": judge}, cluster, system, metrics=["pearson"])["j"].metrics["pearson"]
        assert found.low <= found.estimate <= found.high
        covered.append(found.low <= np.corrcoef(true)[0, 1] <= found.high)
    assert np.mean(covered) >= 0.93


def test_noise_in_the_means_is_taken_out_by_hand():
    _, human, judge, cluster, system = table(0)
    found = figures(human, {"j": judge}, cluster, system, metrics=["pearson"])["j"].metrics["pearson"]
    h, j = (side.reshape(N_TEXTS, N_SYSTEMS) for side in (human, judge))

    def disattenuated(rows):
        a, b = h[rows], j[rows]
        residual = [x - x.mean(0) - x.mean(1, keepdims=True) + x.mean() for x in (a, b)]
        scale = (N_SYSTEMS - 1) * (len(a) - 1) * len(a)
        covariance = np.cov(a.mean(0), b.mean(0)) - np.array(
            [[(one * other).sum() / scale for other in residual] for one in residual]
        )
        return covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])

    everything = np.arange(N_TEXTS)
    z = np.arctanh(disattenuated(everything))
    out = np.arctanh([disattenuated(np.delete(everything, text)) for text in everything])
    from scipy import stats

    reach = stats.t.ppf(0.975, N_SYSTEMS - 1) * np.sqrt(np.sum((out - z) ** 2))
    raw = np.corrcoef(h.mean(0), j.mean(0))[0, 1]
    assert found.estimate == pytest.approx(raw)
    assert found.low == pytest.approx(min(raw, np.tanh(z - reach)))
    assert found.high == pytest.approx(np.tanh(z + reach))


def test_differences_have_intervals_and_tests_too():
    _, human, judge, cluster, system = table(3, noise=0.3)
    noise = np.random.default_rng(0).normal(size=len(human)) + 0.5 * np.random.default_rng(1).normal(size=11)[system]
    found = figures(human, {"j": judge, "bad": noise}, cluster, system, metrics=["pearson"], baseline="bad").comparison
    one = found.differences["j"]["pearson"]
    assert one.low <= one.difference <= one.high
    assert 0 < one.p < 0.05
    assert one.low > 0


@pytest.mark.parametrize("kind", ["jackknife", "percentile", "bca"])
def test_other_metrics_have_figures_and_no_interval_of_any_kind(kind):
    _, human, judge, cluster, system = table(2)
    found = figures(human, {"j": judge}, cluster, system, interval=kind)["j"].metrics
    for name in ("spearman", "kendall", "mae"):
        assert found[name].estimate is not None
        assert (found[name].low, found[name].reason) == (None, NOT_KNOWN)


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
    assert refused > 10


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
